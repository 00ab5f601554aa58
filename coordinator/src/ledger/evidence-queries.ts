/** What the policy is given, read in one statement under the ledger's lock; and what it leaves behind. */
import type { ListNo, Rank } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { type Evidence, type Exemption, emptyEvidence, type Offender, type Strike } from "../policy/evidence.ts";
import type { Sql } from "../store/sql.ts";
import { momentFromSql, momentToSql, prefixFromSql, untilFromSql, untilToSql } from "./sql-values.ts";
import { type Subject, subjectKey } from "./subject.ts";

/** By `subjectKey`. Without sightings: those of a commit are with whoever commits. */
export async function selectEvidence(sql: Sql, subjects: readonly Subject[]): Promise<Map<string, Evidence>> {
  const prefixes = [...new Set(subjects.map(({ prefix }) => prefix))];
  const rows = await sql<EvidenceRow[]>`
    select 'offender' as kind, prefix::text, list_no, jsonb_build_object(
      'firstAt', extract(epoch from first_at), 'lastAt', extract(epoch from last_at), 'sightings', sightings,
      'score', score, 'recent', recent, 'evidenceFrom', extract(epoch from evidence_from)) as fields
    from offenders where prefix = any(${prefixes}::cidr[])
    union all
    select 'strike', prefix::text, list_no, jsonb_build_object('number', strike_no,
      'struckAt', extract(epoch from struck_at), 'until', extract(epoch from until),
      'rungSeconds', coalesce((summary->>'rungSeconds')::bigint, 0))
    from strikes where prefix = any(${prefixes}::cidr[]) and voided_at is null
    union all
    select 'ban', prefix::text, list_no, jsonb_build_object('number', ban_no, 'until', extract(epoch from until),
      'rank', rank)
    from bans where prefix = any(${prefixes}::cidr[]) and ended_at is null
    union all
    select 'feed', prefix::text, null, jsonb_build_object('number', feed_no, 'confidence', confidence)
    from feed_prefixes join feeds using (feed_no)
    -- one that is only observed, or whose publisher has been gone for too long, says nothing
    where prefix = any(${prefixes}::cidr[]) and mode = 'enforce'
      and confirmed_at > clock_timestamp() - stale_after_seconds * interval '1 second'
    union all
    select 'allowed', p.prefix::text, null, jsonb_build_object('number', number, 'prefix', e.prefix::text,
      'until', extract(epoch from least(until, ended_at)))
    from unnest(${prefixes}::cidr[]) as p(prefix) join allowlist e on e.prefix >>= p.prefix
    union all
    select 'pardoned', p.prefix::text, null, jsonb_build_object('number', number, 'prefix', e.prefix::text,
      'until', extract(epoch from least(until, ended_at)))
    from unnest(${prefixes}::cidr[]) as p(prefix) join pardons e on e.prefix >>= p.prefix
    union all
    select 'own', p.prefix::text, null, '{}'::jsonb
    from unnest(${prefixes}::cidr[]) as p(prefix) join agent_addresses a on a.address = p.prefix`;
  const evidence = new Map(
    subjects.map(({ prefix, list }) => [subjectKey({ prefix, list }), emptyEvidence(prefix, list)]),
  );
  const keysByPrefix = Map.groupBy(evidence.keys(), (key) => evidence.get(key)?.prefix);
  for (const row of rows) {
    const prefix = prefixFromSql(row.prefix);
    const keys =
      row.list_no === null ? keysByPrefix.get(prefix) : [subjectKey({ prefix, list: row.list_no as ListNo })];
    for (const key of keys ?? []) {
      const known = evidence.get(key);
      if (known !== undefined) evidence.set(key, withRow(known, row));
    }
  }
  return evidence;
}

interface EvidenceRow {
  readonly kind: "offender" | "strike" | "ban" | "feed" | "allowed" | "pardoned" | "own";
  readonly prefix: string;
  /** null = on all lists. */
  readonly list_no: number | null;
  readonly fields: Fields;
}

/** Those of the row's kind are there. */
interface Fields {
  readonly number: number;
  readonly until: number | null;
  readonly prefix: string;
  readonly struckAt: number;
  readonly rungSeconds: number;
  readonly rank: number;
  readonly confidence: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly sightings: number;
  readonly score: number;
  readonly recent: Offender["recent"];
  readonly evidenceFrom: number | null;
}

function withRow(known: Evidence, { kind, fields }: EvidenceRow): Evidence {
  switch (kind) {
    case "offender":
      return { ...known, offender: offenderFrom(fields) };
    case "strike":
      return { ...known, strikes: [...known.strikes, strikeFrom(fields)] };
    case "ban": {
      const ban = { banNo: fields.number, until: untilFromSql(fields.until), rank: fields.rank as Rank };
      return { ...known, bans: [...known.bans, ban] };
    }
    case "feed":
      return { ...known, feeds: [...known.feeds, { feedNo: fields.number, confidence: fields.confidence }] };
    case "allowed":
    case "pardoned":
      return { ...known, exemptions: [...known.exemptions, exemptionFrom(kind, fields)] };
    case "own":
      return { ...known, ownAddress: known.prefix };
  }
}

function offenderFrom(fields: Fields): Offender {
  return {
    firstAt: momentFromSql(fields.firstAt),
    lastAt: momentFromSql(fields.lastAt),
    sightings: fields.sightings,
    score: fields.score,
    recent: fields.recent,
    evidenceFrom: momentFromSql(fields.evidenceFrom),
  };
}

function strikeFrom(fields: Fields): Strike {
  return {
    strikeNo: fields.number,
    struckAt: momentFromSql(fields.struckAt),
    until: untilFromSql(fields.until),
    rungSeconds: fields.rungSeconds,
  };
}

/** Rounded up: what was sighted within the second of its end doesn't count. */
function exemptionFrom(kind: Exemption["kind"], { number, prefix, until }: Fields): Exemption {
  return { kind, number, prefix: prefixFromSql(prefix), until: untilFromSql(until === null ? null : Math.ceil(until)) };
}

export interface RememberedOffender extends Subject {
  readonly offender: Offender;
  readonly decaysAt: UnixSeconds;
}

export interface NewStrike extends Subject {
  readonly strikeNo: number;
  readonly struckAt: UnixSeconds;
  readonly until: UnixSeconds;
  readonly agents: readonly number[];
  /** JSON of at most 1 KB. */
  readonly summary: string;
}

export interface ExtendedStrike {
  readonly strikeNo: number;
  readonly until: UnixSeconds;
}

/** What a commit leaves for the next decision. */
export interface Remembered {
  readonly offenders: readonly RememberedOffender[];
  readonly strikes: readonly NewStrike[];
  readonly extended: readonly ExtendedStrike[];
}

export async function saveRemembered(
  sql: Sql,
  { offenders, strikes, extended }: Remembered,
  policyNo: number,
  revision: number,
): Promise<void> {
  await sql`
    with struck as (
      insert into strikes (strike_no, prefix, list_no, struck_at, until, policy_no, agents, summary, revision)
      select strike_no, prefix, list_no, to_timestamp(struck_at), to_timestamp(until), ${policyNo}, agents::int[],
        summary::jsonb, ${revision}
      from unnest(${strikes.map((one) => one.strikeNo)}::bigint[], ${strikes.map((one) => one.prefix)}::cidr[],
        ${strikes.map((one) => one.list)}::int[], ${strikes.map((one) => one.struckAt)}::float8[], ${strikes.map((one) => untilToSql(one.until))}::float8[],
        ${strikes.map((one) => `{${one.agents.join(",")}}`)}::text[], ${strikes.map((one) => one.summary)}::text[])
        as t(strike_no, prefix, list_no, struck_at, until, agents, summary)
    ), extended as (
      update strikes s set until = to_timestamp(t.until)
      from unnest(${extended.map((one) => one.strikeNo)}::bigint[], ${extended.map((one) => untilToSql(one.until))}::float8[])
        as t(strike_no, until)
      where s.strike_no = t.strike_no
    )
    insert into offenders (prefix, list_no, first_at, last_at, sightings, agents, score, decays_at, evidence_from, recent)
    select prefix, list_no, to_timestamp(first_at), to_timestamp(last_at), sightings, agents, score, to_timestamp(decays_at),
      to_timestamp(evidence_from), recent::jsonb
    from unnest(${offenders.map((one) => one.prefix)}::cidr[], ${offenders.map((one) => one.list)}::int[],
      ${offenders.map((one) => one.offender.firstAt)}::float8[],
      ${offenders.map((one) => one.offender.lastAt)}::float8[], ${offenders.map((one) => one.offender.sightings)}::bigint[],
      ${offenders.map((one) => one.offender.recent.length)}::smallint[],
      ${offenders.map((one) => one.offender.score)}::real[], ${offenders.map((one) => one.decaysAt)}::float8[],
      ${offenders.map((one) => momentToSql(one.offender.evidenceFrom))}::float8[],
      ${offenders.map((one) => JSON.stringify(one.offender.recent))}::text[])
      as t(prefix, list_no, first_at, last_at, sightings, agents, score, decays_at, evidence_from, recent)
    on conflict (prefix, list_no) do update set first_at = excluded.first_at, last_at = excluded.last_at,
      sightings = excluded.sightings, agents = excluded.agents, score = excluded.score, decays_at = excluded.decays_at,
      recent = excluded.recent`;
}

/** The prefix is set aside: the batch that it came in goes on. */
export async function holdPrefix(sql: Sql, prefix: Prefix, reason: string): Promise<void> {
  await sql`
    insert into holds (subject, prefix, reason) values ('prefix', ${prefix}, ${reason}) on conflict do nothing`;
}

/** Takes the ledger's row, which orders all commits; gives its clock and as many strike numbers as may be wanted. */
export async function lockLedger(sql: Sql, strikeNumbers: number): Promise<LockedLedger> {
  const [row] = await sql<LedgerLockRow[]>`
    select revision, policy_no, extract(epoch from clock_timestamp())::float8 as now,
      encode(epoch, 'hex') as epoch,
      (select min(nextval('strike_numbers')) from generate_series(1, ${strikeNumbers}::int)) as first
    from ledger for update`;
  if (row === undefined) throw new Error("internal error: the ledger has no row");
  return {
    revision: row.revision,
    now: unixSeconds(Math.floor(row.now)),
    epoch: row.epoch,
    policyNo: row.policy_no,
    firstStrikeNo: row.first ?? 0,
  };
}

interface LedgerLockRow {
  readonly revision: number;
  readonly policy_no: number;
  readonly now: number;
  readonly epoch: string;
  readonly first: number | null;
}

export interface LockedLedger {
  readonly revision: number;
  readonly now: UnixSeconds;
  readonly epoch: string;
  /** By which everything is decided; 0 = the defaults. */
  readonly policyNo: number;
  readonly firstStrikeNo: number;
}
