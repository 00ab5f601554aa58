/** The newest stored sightings of a prefix, read once: some are shown, and those that may be evidence are judged. */
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import type { SightingKind } from "@fleetban/proto/model/sighting";
import { secondsFromMs, unixSeconds } from "@fleetban/proto/model/time";
import type { ExplainedSighting } from "@fleetban/proto/wire/admin";
import { kindName, type Outcome, outcomeName, sourceName } from "../ledger/sighting-codes.ts";
import type { ReceivedSighting } from "../policies/replay-offender.ts";
import type { Sql } from "../store/sql.ts";

/** Of an address that a whole fleet sights each minute the newest are enough, and quickly judged. */
export const SIGHTINGS_MAX = 200;
const SHOWN_MAX = 20;

export interface StoredSighting {
  readonly offender: Prefix;
  readonly agent: string;
  /** Of its own kind too: `restored` and `unban-by-hand` are no evidence. */
  readonly kind: SightingKind;
  readonly outcome: Outcome;
  readonly shown: ExplainedSighting;
  readonly received: ReceivedSighting;
}

interface SightingRow {
  readonly offender: string;
  readonly prefix: string;
  readonly agent_no: number;
  readonly agent: string | null;
  readonly source: number;
  readonly jail: string;
  readonly kind: number;
  readonly failures: number;
  readonly outcome: number;
  readonly protocol: string;
  readonly ports: string;
  readonly ban_seconds: number;
  readonly sighted: number;
  readonly received: number;
  readonly evidence: Buffer | null;
}

/** Newest first. `offenders` are what they are counted under: the prefix, and for IPv6 the network around it. */
export async function storedSightings(sql: Sql, offenders: readonly Prefix[]): Promise<StoredSighting[]> {
  const rows = await sql<SightingRow[]>`
    select s.offender::text, s.prefix::text, agent_no, a.name as agent, source, jail, kind, failures, outcome, protocol,
      ports, ban_seconds, extract(epoch from sighted_at)::float8 as sighted,
      extract(epoch from received_at)::float8 as received,
      case when row_number() over (order by received_at desc) <= ${SHOWN_MAX} then evidence end as evidence
    from unnest(${[...offenders]}::cidr[]) as o(prefix), lateral (
        select * from sightings x where x.offender = o.prefix order by received_at desc limit ${SIGHTINGS_MAX}) s
      left join agents a using (agent_no)
    order by received_at desc, spool_no desc, seq desc limit ${SIGHTINGS_MAX}`;
  return rows.map(sightingFromRow);
}

export interface SightingTotals {
  readonly sightings: number;
  readonly agents: number;
}

/** Of all that are stored; asked of the database only where there are more than were read. */
export async function sightingTotals(
  sql: Sql,
  offenders: readonly Prefix[],
  newest: readonly StoredSighting[],
): Promise<SightingTotals> {
  if (newest.length < SIGHTINGS_MAX) {
    return { sightings: newest.length, agents: new Set(newest.map(({ received }) => received.agentNo)).size };
  }
  const [row] = await sql<{ sightings: number; agents: number }[]>`
    select count(*)::int as sightings, count(distinct agent_no)::int as agents
    from sightings where offender = any(${[...offenders]}::cidr[])`;
  return { sightings: row?.sightings ?? 0, agents: row?.agents ?? 0 };
}

export function shownOf(sightings: readonly StoredSighting[]): ExplainedSighting[] {
  return sightings.slice(0, SHOWN_MAX).map(({ shown }) => shown);
}

/** What was evidence, or would be if its jail had a weight, and the real time of a ban that was prolonged. */
export function mayBeEvidence({ kind, outcome }: StoredSighting): boolean {
  if (outcome === "no-strike") return kind === "prolong";
  return outcome === "counted" || outcome === "held" || outcome === "weightless";
}

function sightingFromRow(row: SightingRow): StoredSighting {
  const [kind, outcome, source] = [kindName(row.kind), outcomeName(row.outcome), sourceName(row.source)];
  const { jail, protocol, failures, ports } = row;
  const agent = row.agent ?? "(removed)";
  const told = { jail, source, protocol, failures };
  return {
    offender: parsePrefix(row.offender),
    agent,
    kind,
    outcome,
    shown: {
      ...told,
      ...{ atMs: Math.round(row.sighted * 1_000), agent, kind, outcome, ports },
      address: parsePrefix(row.prefix),
      evidence: row.evidence?.toString("utf8") ?? "",
    },
    received: {
      ...told,
      ...{ agentNo: row.agent_no, kind: kind === "prolong" ? "prolong" : "ban", banSeconds: row.ban_seconds },
      at: secondsFromMs(row.sighted * 1_000),
      receivedAt: unixSeconds(Math.floor(row.received)),
      receivedExactly: row.received,
    },
  };
}
