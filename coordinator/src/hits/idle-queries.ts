/** SQL of open-ended listings: since when, when last tried, and who would know. */
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { prefixFromSql } from "../ledger/sql-values.ts";
import type { OpenEndedListing, Witness } from "../policy/prune.ts";
import type { Sql } from "../store/sql.ts";

export interface IdleListing extends OpenEndedListing {
  readonly prefix: Prefix;
}

/** Of these prefixes, or all: a try is a packet that was dropped, or a sighting, of the prefix or of something in it. */
export async function openEndedListings(sql: Sql, prefixes?: readonly Prefix[]): Promise<IdleListing[]> {
  const isWanted = prefixes === undefined ? sql`true` : sql`l.prefix = any(${[...prefixes]}::cidr[])`;
  const rows = await sql<{ prefix: string; since: number; tried: number | null; has_inside: boolean }[]>`
    select l.prefix::text, extract(epoch from greatest(l.listed_at, ban.at))::float8 as since,
      extract(epoch from greatest(tries.last_at, packet.at, sighting.at, offender.at))::float8 as tried,
      exists (select from listings inner_l where inner_l.list_no = l.list_no and ${isIn(sql, "inner_l.prefix")}
        and inner_l.prefix << l.prefix) as has_inside
    from listings l
      -- the policy counts an IPv6 address under its /64
      cross join lateral (select case when family(l.prefix) = 6 and masklen(l.prefix) > 64
        then set_masklen(l.prefix, 64) else l.prefix end as prefix) w
      left join listing_tries tries on tries.list_no = l.list_no and tries.prefix = l.prefix
      left join lateral (
        select max(banned_at) as at from bans where prefix = l.prefix and ended_at is null) ban on true
      left join lateral (
        select max(h.last_at) as at from lists join hits h using (list_no) where ${isIn(sql, "h.prefix")}) packet on true
      left join lateral (
        select max(s.received_at) as at from sightings s where ${isIn(sql, "s.offender")}) sighting on true
      left join lateral (
        select max(o.last_at) as at from offenders o where ${isIn(sql, "o.prefix")}) offender on true
    where l.list_no = ${LIST_FLEET} and l.until is null and ${isWanted}
    order by l.prefix`;
  return rows.map((row) => ({
    prefix: prefixFromSql(row.prefix),
    since: unixSeconds(Math.ceil(row.since)),
    lastTriedAt: row.tried === null ? undefined : unixSeconds(Math.ceil(row.tried)),
    hasListingsInside: row.has_inside,
  }));
}

/** Outlives the hits and sightings themselves, which are kept for a while only. */
export async function rememberTries(sql: Sql, listings: readonly IdleListing[]): Promise<void> {
  const tried = listings.flatMap(({ prefix, lastTriedAt }) =>
    lastTriedAt === undefined ? [] : [{ prefix, lastTriedAt }],
  );
  await sql`
    insert into listing_tries (list_no, prefix, last_at)
    select ${LIST_FLEET}, prefix, to_timestamp(at)
    from unnest(${tried.map(({ prefix }) => prefix)}::cidr[], ${tried.map((one) => one.lastTriedAt)}::float8[]) as t (prefix, at)
    order by prefix
    on conflict (list_no, prefix) do update set last_at = greatest(listing_tries.last_at, excluded.last_at)`;
  await sql`
    delete from listing_tries t where not exists (
      select from listings l where l.list_no = t.list_no and l.prefix = t.prefix and l.until is null)`;
}

/** Agents in force whose group enforces the list. */
export async function selectWitnesses(sql: Sql): Promise<Witness[]> {
  const rows = await sql<{ name: string; enrolled: number; seen: number | null; counting: number | null }[]>`
    select a.name, extract(epoch from a.enrolled_at)::float8 as enrolled,
      (a.last_hello ->> 'seen_at_ms')::float8 / 1000 as seen, extract(epoch from c.counting_since)::float8 as counting
    from agents a join agent_groups g on g.name = a.agent_group left join hit_counting c using (agent_no)
    where a.revoked_at is null and ${LIST_FLEET}::int = any(g.lists) order by a.name`;
  return rows.map((row) => ({
    name: row.name,
    enrolledAt: unixSeconds(Math.floor(row.enrolled)),
    lastSeenAt: momentOf(row.seen),
    countingSince: momentOf(row.counting),
  }));
}

/** What was ended. */
export async function pruneBans(sql: Sql, prefixes: readonly Prefix[]): Promise<void> {
  await sql`
    update bans set ended_at = date_trunc('second', clock_timestamp()), pruned = true
    where prefix = any(${[...prefixes]}::cidr[]) and list_no = ${LIST_FLEET} and until is null and ended_at is null`;
}

/** Between the listing, an IPv6 address widened to its /64, and its last address: a range of the column's index. */
function isIn(sql: Sql, column: string) {
  const value = sql.unsafe(column);
  return sql`${value} >= w.prefix
    and ${value} <= set_masklen(broadcast(w.prefix), case family(w.prefix) when 4 then 32 else 128 end)::cidr`;
}

function momentOf(seconds: number | null): UnixSeconds | undefined {
  return seconds === null ? undefined : unixSeconds(Math.ceil(seconds));
}
