/**
 * The stored sightings that may be evidence: the newest one by one, what is older summed up. The sum is what `decide` was
 * left with when the newest came, so that both together say what all of them would, however many there are.
 */
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { kindCode, kindName, outcomeCode, sourceName } from "../ledger/sighting-codes.ts";
import { momentFromSql } from "../ledger/sql-values.ts";
import type { ReceivedSighting } from "../policies/replay-offender.ts";
import type { Told } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";

export interface StoredSighting {
  readonly offender: Prefix;
  readonly agent: string;
  readonly received: ReceivedSighting;
}

/** By one agent, told in one way, older than what is read one by one. */
export interface OlderSightings extends Told {
  readonly agentNo: number;
  readonly sightings: number;
  readonly firstAt: UnixSeconds;
  readonly lastAt: UnixSeconds;
  /** How many fresh ones they are worth at `lastAt`, each halved by each half-life. */
  readonly freshWorth: number;
}

export interface StoredEvidence {
  /** In the order in which they were received. */
  readonly newest: readonly StoredSighting[];
  /** When the first of them was received, exactly; undefined = there are no older ones. */
  readonly cutAt: number | undefined;
}

/** Of an address that a whole fleet sights each minute so many are judged one by one, quickly. */
export const NEWEST_MAX = 200;
/** What was evidence, or would be if its jail had a weight; and the real time of a ban that was prolonged. */
const COUNTED = [outcomeCode("counted"), outcomeCode("held"), outcomeCode("weightless")];
const PROLONGED = outcomeCode("no-strike");
const PROLONG = kindCode("prolong");
/** Nothing is left long before; Postgres refuses a power that is too small for it, from 1,075 on. */
const HALVINGS_MAX = 1_000;

/** Those received since `from`. */
export async function storedEvidence(
  sql: Sql,
  offenders: readonly Prefix[],
  from: UnixSeconds,
): Promise<StoredEvidence> {
  // With ties: what came in one message was decided together.
  const rows = await sql<EvidenceRow[]>`
    select newest.*, a.name as agent from (
        select offender::text, agent_no, kind, source, jail, protocol, ban_seconds, failures, spool_no, seq,
          extract(epoch from sighted_at)::float8 as sighted, extract(epoch from received_at)::float8 as received
        from sightings where offender = any(${[...offenders]}::cidr[]) and ${mayCount(sql, from)}
        order by received_at desc fetch first ${NEWEST_MAX} rows with ties) as newest
      left join agents a using (agent_no)
    order by received, spool_no, seq`;
  return { newest: rows.map(storedFromRow), cutAt: rows.length < NEWEST_MAX ? undefined : rows[0]?.received };
}

export interface Older {
  readonly from: UnixSeconds;
  /** As `StoredEvidence` tells it. */
  readonly cutAt: number;
  /** Nothing sighted up to then counts. */
  readonly evidenceFrom: UnixSeconds;
  readonly halfLifeSeconds: number;
}

/** The others of one prefix. */
export async function olderSightings(
  sql: Sql,
  offender: Prefix,
  { from, cutAt, evidenceFrom, halfLifeSeconds }: Older,
): Promise<OlderSightings[]> {
  const rows = await sql<OlderRow[]>`
    select agent_no, source, jail, protocol, count(*)::int as sightings,
      extract(epoch from min(sighted_at))::float8 as first, extract(epoch from newest)::float8 as last,
      sum(power(0.5::float8, least(${HALVINGS_MAX}::float8,
        extract(epoch from newest - sighted_at)::float8 / ${halfLifeSeconds}::float8))) as worth
    from (
      select *, max(sighted_at) over (partition by agent_no, source, jail, protocol) as newest from sightings
      where offender = ${offender}::cidr and received_at < to_timestamp(${cutAt}::float8)
        and sighted_at >= to_timestamp(${evidenceFrom + 1}::float8) and kind <> ${PROLONG} and ${mayCount(sql, from)}) as s
    group by agent_no, source, jail, protocol, newest`;
  return rows.map(olderFromRow);
}

function mayCount(sql: Sql, from: UnixSeconds) {
  return sql`received_at >= to_timestamp(${from}::float8)
    and (outcome = any(${COUNTED}::smallint[]) or outcome = ${PROLONGED} and kind = ${PROLONG})`;
}

interface EvidenceRow {
  readonly offender: string;
  readonly agent_no: number;
  readonly agent: string | null;
  readonly kind: number;
  readonly source: number;
  readonly jail: string;
  readonly protocol: string;
  readonly ban_seconds: number;
  readonly failures: number;
  readonly sighted: number;
  readonly received: number;
}

function storedFromRow(row: EvidenceRow): StoredSighting {
  const { jail, protocol, failures } = row;
  return {
    offender: parsePrefix(row.offender),
    agent: row.agent ?? "(removed)",
    received: {
      ...{ jail, protocol, failures, source: sourceName(row.source), banSeconds: row.ban_seconds },
      ...{ agentNo: row.agent_no, kind: kindName(row.kind) === "prolong" ? "prolong" : "ban" },
      at: momentFromSql(row.sighted),
      receivedAt: unixSeconds(Math.floor(row.received)),
      receivedExactly: row.received,
    },
  };
}

interface OlderRow {
  readonly agent_no: number;
  readonly source: number;
  readonly jail: string;
  readonly protocol: string;
  readonly sightings: number;
  readonly first: number;
  readonly last: number;
  readonly worth: number;
}

function olderFromRow(row: OlderRow): OlderSightings {
  const { jail, protocol, sightings } = row;
  return {
    ...{ jail, protocol, sightings, agentNo: row.agent_no },
    source: sourceName(row.source),
    firstAt: momentFromSql(row.first),
    lastAt: momentFromSql(row.last),
    freshWorth: row.worth,
  };
}
