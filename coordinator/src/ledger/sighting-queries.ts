/** Sightings and the spools they come from, in the database. */
import type { Seq } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Sql } from "../store/sql.ts";
import type { AckedSpool } from "./ledger.ts";
import { JAIL_MAX, plainText } from "./plain-text.ts";
import { kindCode, outcomeCode, sourceCode } from "./sighting-codes.ts";
import { bytesToSql, prefixFromSql } from "./sql-values.ts";
import { actKey, type Facts, type NewSighting, networkOf, sameActs, type Triaged } from "./triage.ts";

export interface SpoolKey {
  readonly agentNo: number;
  /** 32 hexadecimal digits. */
  readonly incarnation: string;
}

export interface Spool extends SpoolKey {
  readonly spoolNo: number;
  readonly ackedSeq: number;
}

export interface SpoolProgress {
  readonly spoolNo: number;
  readonly ackedSeq: number;
  readonly ackedAct: string;
  readonly gaps: number;
}

/** Of this program's advisory locks: the one of an agent's commits. */
const AGENT_LOCK = 7741;
/** A ban that is told again was received after it began; clocks and hand-offs may be off by this much. */
const REPEATED_SLACK_MS = 15 * 60_000;

/**
 * Two replicas with sightings of one agent pass here one after the other, even where its spools are not there yet:
 * what the first has counted, the second sees.
 */
export async function lockAgents(sql: Sql, agents: readonly number[]): Promise<void> {
  const sorted = [...new Set(agents)].sort((a, b) => a - b);
  await sql`select pg_advisory_xact_lock(${AGENT_LOCK}, agent) from unnest(${sorted}::int[]) as agent`;
}

export async function lockSpools(sql: Sql, keys: readonly SpoolKey[]): Promise<Spool[]> {
  const rows = await sql<{ spool_no: number; agent_no: number; incarnation: string; acked_seq: number }[]>`
    select spool_no, agent_no, encode(incarnation, 'hex') as incarnation, acked_seq
    from spools where (agent_no, incarnation) in (
      select agent, decode(incarnation, 'hex')
      from unnest(${keys.map((key) => key.agentNo)}::int[], ${keys.map((key) => key.incarnation)}::text[])
        as t(agent, incarnation))
    order by spool_no for update`;
  return rows.map((row) => ({
    spoolNo: row.spool_no,
    agentNo: row.agent_no,
    incarnation: row.incarnation,
    ackedSeq: row.acked_seq,
  }));
}

export async function insertSpools(sql: Sql, keys: readonly SpoolKey[]): Promise<void> {
  await sql`
    insert into spools (agent_no, incarnation)
    select agent, decode(incarnation, 'hex')
    from unnest(${keys.map((key) => key.agentNo)}::int[], ${keys.map((key) => key.incarnation)}::text[])
      as t(agent, incarnation)
    order by 1, 2
    on conflict do nothing`;
}

/** An honest agent has one for each start of its program; what a compromised one makes up pushes out its own only. */
const SPOOLS_KEPT = 1_000;

export async function forgetSpools(sql: Sql, inUse: readonly Spool[]): Promise<void> {
  await sql`
    delete from spools where spool_no in (
      select spool_no from (
        select spool_no, row_number() over (partition by agent_no order by last_at desc, spool_no desc) as place
        from spools where agent_no = any(${inUse.map(({ agentNo }) => agentNo)}::int[])
      ) as placed where place > ${SPOOLS_KEPT}
    ) and spool_no <> all(${inUse.map(({ spoolNo }) => spoolNo)}::bigint[])`;
}

export async function ackedSpools(sql: Sql, agentNo: number, incarnations: readonly string[]): Promise<AckedSpool[]> {
  const rows = await sql<{ incarnation: Buffer; acked_seq: number; acked_act: Buffer | null }[]>`
    select incarnation, acked_seq, acked_act from spools
    where agent_no = ${agentNo} and incarnation in (select decode(i, 'hex') from unnest(${[...incarnations]}::text[]) as i)`;
  return rows.map((row) => ({
    incarnation: row.incarnation,
    seq: row.acked_seq as Seq,
    act: row.acked_act?.toString("hex") ?? "",
  }));
}

/** One statement: what keeps these addresses from being evidence, and which of these acts have been counted. */
export async function selectFacts(
  sql: Sql,
  sightings: readonly Pick<NewSighting, "sighting" | "agentNo" | "sightedAtMs">[],
): Promise<Facts> {
  const addresses = [...new Set(sightings.map(({ sighting }) => sighting.address))];
  const networks = [...new Set(addresses.map(networkOf))];
  const v6Networks = networks.filter((network) => network.includes(":"));
  const bans = sightings.filter(({ sighting }) => sighting.kind === "ban");
  const fromMs = Math.min(...bans.map(({ sightedAtMs }) => sightedAtMs)) - REPEATED_SLACK_MS;
  const rows = await sql<{ fact: string; prefix: string; agent_no: number; act: string }[]>`
    select 'allowed' as fact, p.prefix::text, 0 as agent_no, '' as act
    from unnest(${addresses}::cidr[]) as p(prefix) join allowlist e on e.prefix >>= p.prefix
    where e.ended_at is null and (e.until is null or e.until > clock_timestamp())
    union all
    select 'pardoned', p.prefix::text, 0, ''
    from unnest(${addresses}::cidr[]) as p(prefix) join pardons e on e.prefix >>= p.prefix
    where e.ended_at is null and (e.until is null or e.until > clock_timestamp())
    union all
    select 'own', p.prefix::text, 0, ''
    from unnest(${addresses}::cidr[]) as p(prefix) join agent_addresses a on a.address = p.prefix
    union all
    select 'mixed', n.prefix::text, 0, ''
    from unnest(${v6Networks}::cidr[]) as n(prefix)
    where exists (select from agent_addresses a where a.address <<= n.prefix)
      or exists (select from listings l where l.list_no = 1 and l.prefix >= n.prefix
        and l.prefix <= set_masklen(broadcast(n.prefix), 128)::cidr)
    union all
    select 'counted', '', s.agent_no, encode(s.act, 'hex')
    from sightings s
    where s.offender = any(${[...new Set([...networks, ...addresses])]}::cidr[])
      and s.received_at >= to_timestamp(${Number.isFinite(fromMs) ? fromMs / 1000 : 0}::float8)
      and s.outcome in (${outcomeCode("counted")}, ${outcomeCode("held")})
      and s.agent_no = any(${[...new Set(bans.map(({ agentNo }) => agentNo))]}::int[])
      and s.act = any(${[...new Set(bans.flatMap(({ sighting }) => sameActs(sighting)))].map((act) => `\\x${act}`)}::bytea[])`;
  const prefixes = (fact: string) =>
    new Set<Prefix>(rows.filter((row) => row.fact === fact).map(({ prefix }) => prefixFromSql(prefix)));
  const counted = rows.filter(({ fact }) => fact === "counted");
  return {
    allowed: prefixes("allowed"),
    pardoned: prefixes("pardoned"),
    own: prefixes("own"),
    mixedNetworks: prefixes("mixed"),
    counted: new Set(counted.map((row) => actKey(row.agent_no, row.act))),
  };
}

const PROTOCOL_MAX = 16;
const PORTS_MAX = 256;
/** Of one agent; the bans of all further ones are counted together. */
const JAILS_A_DAY = 200;
const OTHER_JAILS = "(other)";

/**
 * Stores them, moves their spools forward and counts the day's local bans, in one statement. Beyond the quota only what
 * is of fixed size: nobody fills the disk with the rest.
 */
export async function storeSightings(
  sql: Sql,
  sightings: readonly Triaged[],
  progress: readonly SpoolProgress[],
): Promise<void> {
  const bans = localBans(sightings);
  const column = <T>(of: (one: Triaged) => T) => sightings.map(of);
  await sql`
    with stored as (
      insert into sightings (received_at, spool_no, seq, agent_no, prefix, offender, kind, source, jail, protocol, ports,
        failures, sighted_at, ban_seconds, ban_count, act, outcome, evidence)
      select to_timestamp(received / 1000), spool_no, seq, agent_no, prefix, offender, kind, source, jail, protocol, ports,
        failures, to_timestamp(sighted / 1000), ban_seconds, ban_count, act, outcome, evidence
      from unnest(
        ${column((one) => one.receivedAtMs)}::float8[], ${column((one) => one.spoolNo)}::bigint[],
        ${column((one) => one.seq)}::bigint[], ${column((one) => one.agentNo)}::int[],
        ${column((one) => one.sighting.address)}::cidr[], ${column((one) => one.offender)}::cidr[],
        ${column((one) => kindCode(one.sighting.kind))}::smallint[],
        ${column((one) => sourceCode(one.sighting.source))}::smallint[],
        ${column((one) => plainText(one.sighting.jail, JAIL_MAX))}::text[],
        ${column((one) => (one.isOverQuota ? "" : plainText(one.sighting.protocol, PROTOCOL_MAX)))}::text[],
        ${column((one) => (one.isOverQuota ? "" : plainText(one.sighting.ports, PORTS_MAX)))}::text[],
        ${column((one) => one.sighting.failures)}::bigint[], ${column((one) => one.sightedAtMs)}::float8[],
        ${column((one) => one.sighting.banSeconds)}::bigint[], ${column((one) => one.sighting.banCount)}::bigint[],
        ${column((one) => `\\x${one.sighting.act}`)}::bytea[], ${column((one) => outcomeCode(one.outcome))}::smallint[],
        ${column(evidenceOf)}::bytea[]
      ) as t(received, spool_no, seq, agent_no, prefix, offender, kind, source, jail, protocol, ports,
        failures, sighted, ban_seconds, ban_count, act, outcome, evidence)
    ), acked as (
      update spools s set acked_seq = p.acked_seq, acked_act = p.acked_act, gaps = s.gaps + p.gaps,
        last_at = clock_timestamp()
      from unnest(${progress.map((spool) => spool.spoolNo)}::bigint[], ${progress.map((spool) => spool.ackedSeq)}::bigint[],
        ${progress.map((spool) => `\\x${spool.ackedAct}`)}::bytea[], ${progress.map((spool) => spool.gaps)}::bigint[])
        as p(spool_no, acked_seq, acked_act, gaps)
      where s.spool_no = p.spool_no
    )
    insert into local_bans as l (day, agent_no, jail, bans)
    select day, agent_no, case when is_known or others + place <= ${JAILS_A_DAY} then jail else ${OTHER_JAILS} end, sum(bans)
    from (
      select day, agent_no, jail, bans, is_known,
        row_number() over (partition by day, agent_no, is_known order by jail) as place,
        (select count(*) from local_bans o where o.day = t.day and o.agent_no = t.agent_no) as others
      from (
        select day::date as day, agent_no, jail, bans, exists (
          select from local_bans o where o.day = b.day::date and o.agent_no = b.agent_no and o.jail = b.jail) as is_known
        from unnest(${bans.map((row) => row.day)}::text[], ${bans.map((row) => row.agentNo)}::int[],
          ${bans.map((row) => row.jail)}::text[], ${bans.map((row) => row.bans)}::bigint[])
          as b(day, agent_no, jail, bans)
      ) as t
    ) as placed
    group by 1, 2, 3
    order by 1, 2, 3
    on conflict (day, agent_no, jail) do update set bans = l.bans + excluded.bans`;
}

function evidenceOf({ sighting, isOverQuota }: Triaged) {
  return isOverQuota || sighting.evidence.length === 0 ? null : bytesToSql(sighting.evidence);
}

interface LocalBans {
  readonly day: string;
  readonly agentNo: number;
  readonly jail: string;
  readonly bans: number;
}

/** Bans that really happened on a server, whether or not they may be evidence; each once. Beyond the quota nobody knows. */
function localBans(sightings: readonly Triaged[]): LocalBans[] {
  const rows = new Map<string, LocalBans>();
  for (const { sighting, outcome, agentNo, sightedAtMs, isOverQuota } of sightings) {
    if (isOverQuota || sighting.kind !== "ban" || outcome === "repeated" || outcome === "too-old") continue;
    const day = new Date(sightedAtMs).toISOString().slice(0, 10);
    const jail = plainText(sighting.jail, JAIL_MAX);
    const key = `${day} ${agentNo} ${jail}`;
    rows.set(key, { day, agentNo, jail, bans: (rows.get(key)?.bans ?? 0) + 1 });
  }
  return [...rows.values()];
}
