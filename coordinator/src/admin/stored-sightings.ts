/** The newest stored sightings of a prefix, whatever became of them: some are shown. */
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import type { ExplainedSighting } from "@fleetban/proto/wire/admin";
import { kindName, outcomeName, sourceName } from "../ledger/sighting-codes.ts";
import type { Sql } from "../store/sql.ts";

const SHOWN_MAX = 20;

interface SightingRow {
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
  readonly sighted: number;
  readonly evidence: Buffer | null;
}

export interface ShownSightings {
  /** Newest first. */
  readonly shown: readonly ExplainedSighting[];
  /** Of all that are stored. */
  readonly total: number;
  readonly agents: number;
}

/** `offenders` are what they are counted under: the prefix, and for IPv6 the network around it. */
export async function shownSightings(sql: Sql, offenders: readonly Prefix[]): Promise<ShownSightings> {
  const rows = await sql<SightingRow[]>`
    select s.prefix::text, agent_no, a.name as agent, source, jail, kind, failures, outcome, protocol, ports,
      extract(epoch from sighted_at)::float8 as sighted, evidence
    from unnest(${[...offenders]}::cidr[]) as o(prefix), lateral (
        select * from sightings x where x.offender = o.prefix order by received_at desc limit ${SHOWN_MAX}) s
      left join agents a using (agent_no)
    order by received_at desc, spool_no desc, seq desc limit ${SHOWN_MAX}`;
  const shown = rows.map(shownFromRow);
  // Asked of the database only where there are more than were read.
  if (rows.length < SHOWN_MAX) {
    return { shown, total: rows.length, agents: new Set(rows.map(({ agent_no }) => agent_no)).size };
  }
  const [row] = await sql<{ sightings: number; agents: number }[]>`
    select count(*)::int as sightings, count(distinct agent_no)::int as agents
    from sightings where offender = any(${[...offenders]}::cidr[])`;
  return { shown, total: row?.sightings ?? 0, agents: row?.agents ?? 0 };
}

function shownFromRow(row: SightingRow): ExplainedSighting {
  const { jail, protocol, failures, ports } = row;
  return {
    ...{ jail, protocol, failures, ports, source: sourceName(row.source) },
    atMs: Math.round(row.sighted * 1_000),
    agent: row.agent ?? "(removed)",
    kind: kindName(row.kind),
    outcome: outcomeName(row.outcome),
    address: parsePrefix(row.prefix),
    evidence: row.evidence?.toString("utf8") ?? "",
  };
}
