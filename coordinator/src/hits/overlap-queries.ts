/** SQL of overlaps: which feeds had named an offender before its first attempt. */
import type { Sql } from "../store/sql.ts";

/** Offenders first sighted on a day, of which a feed had named so many at that confidence. */
export interface Overlap {
  /** Of the first sighting, UTC. */
  readonly day: string;
  /** 0 = all offenders, named or not. */
  readonly feedNo: number;
  readonly confidence: number;
  readonly offenders: number;
}

export interface OverlapSpan {
  readonly fromAt: Date;
  readonly untilAt: Date;
}

export interface FeedOverlap {
  readonly feedNo: number;
  readonly rank: number;
  readonly offenders: number;
}

/** A minute back: a commit under way may still bring sightings received before. Locks; of two replicas one counts. */
export async function lockSpan(sql: Sql): Promise<OverlapSpan> {
  const [row] = await sql<{ counted_until: Date; until: Date }[]>`
    select counted_until, greatest(counted_until, clock_timestamp() - interval '1 minute') as until
    from feed_overlaps_until for update`;
  if (row === undefined) throw new Error("internal error: feed_overlaps_until has no row");
  return { fromAt: row.counted_until, untilAt: row.until };
}

/**
 * Of offenders that nobody had sighted before. A feed that names a network around one had named it; one that names an
 * address in an IPv6 offender's /64 too, since it is listed as that.
 */
export async function selectOverlaps(sql: Sql, { fromAt, untilAt }: OverlapSpan): Promise<Overlap[]> {
  const rows = await sql<{ day: string; feed_no: number; confidence: number; offenders: number }[]>`
    with seen as (
      select offender, min(sighted_at) as first_at from sightings
      where received_at >= ${fromAt} and received_at < ${untilAt} and kind = 1
      group by offender
    ), fresh as materialized (
      select offender, first_at from seen
      where not exists (
        select from sightings s where s.offender = seen.offender and s.received_at < ${fromAt} and s.kind = 1)
    ), lengths as materialized (
      select distinct family(prefix) as family, masklen(prefix) as length from feed_prefixes
    ), named as (
      select f.offender, f.first_at, n.feed_no, n.confidence, n.first_fetch_no
      from fresh f join lengths l on l.family = family(f.offender) and l.length <= masklen(f.offender)
        join feed_prefixes n on n.prefix = network(set_masklen(f.offender::inet, l.length))::cidr
      union all
      select f.offender, f.first_at, n.feed_no, n.confidence, n.first_fetch_no
      from fresh f join feed_prefixes n
        on n.prefix > f.offender and n.prefix <= set_masklen(broadcast(f.offender), 128)::cidr
      where family(f.offender) = 6 and masklen(f.offender) < 128
    ), before as (
      select n.offender, n.first_at, n.feed_no, max(n.confidence) as confidence
      from named n join feed_fetches ff on ff.fetch_no = n.first_fetch_no
      where ff.fetched_at < n.first_at
      group by n.offender, n.first_at, n.feed_no
    )
    select to_char(first_at at time zone 'utc', 'YYYY-MM-DD') as day, feed_no, confidence, count(*)::int as offenders
    from before group by 1, 2, 3
    union all
    select to_char(first_at at time zone 'utc', 'YYYY-MM-DD'), 0, 0, count(*)::int from fresh group by 1`;
  return rows.map(({ feed_no: feedNo, ...row }) => ({ feedNo, ...row }));
}

export async function addOverlaps(
  sql: Sql,
  overlaps: readonly (FeedOverlap & Pick<Overlap, "day">)[],
  { untilAt }: OverlapSpan,
): Promise<void> {
  await sql`update feed_overlaps_until set counted_until = ${untilAt}`;
  if (overlaps.length === 0) return;
  await sql`
    insert into feed_overlaps as present (day, feed_no, rank, offenders)
    select day::date, feed_no, rank, sum(offenders)
    from unnest(${overlaps.map((one) => one.day)}::text[], ${overlaps.map((one) => one.feedNo)}::int[],
      ${overlaps.map((one) => one.rank)}::smallint[], ${overlaps.map((one) => one.offenders)}::bigint[])
      as t(day, feed_no, rank, offenders)
    group by 1, 2, 3
    on conflict (day, feed_no, rank) do update set offenders = present.offenders + excluded.offenders`;
}

/** Over so many days (UTC), today included; `feedNo` 0 = all offenders. */
export async function overlapsByFeed(sql: Sql, days: number): Promise<FeedOverlap[]> {
  const rows = await sql<{ feed_no: number; rank: number; offenders: number }[]>`
    select feed_no, rank, sum(offenders)::bigint as offenders from feed_overlaps
    where day > (clock_timestamp() at time zone 'utc')::date - ${days}::int group by feed_no, rank order by feed_no, rank`;
  return rows.map(({ feed_no: feedNo, rank, offenders }) => ({ feedNo, rank, offenders: Number(offenders) }));
}

export async function deleteOldOverlaps(sql: Sql, days: number): Promise<void> {
  await sql`delete from feed_overlaps where day < (clock_timestamp() at time zone 'utc')::date - ${days}::int`;
}
