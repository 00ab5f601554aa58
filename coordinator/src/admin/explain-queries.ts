/** What the database knows of one prefix: sightings, strikes, feeds. */
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import type { ExplainedSighting, ExplainedStrike } from "@fleetban/proto/wire/admin";
import { kindName, outcomeName, sourceName } from "../ledger/sighting-codes.ts";
import type { Sql } from "../store/sql.ts";

export interface SightingTotals {
  readonly sightings: number;
  readonly agents: number;
}

const MAX_SIGHTINGS = 20;
const MAX_STRIKES = 20;
const MAX_NAMES = 20;

/** `offenders` are what the sightings are counted under: the prefix, and for IPv6 the network around it. */
export async function sightingTotals(sql: Sql, offenders: readonly Prefix[]): Promise<SightingTotals> {
  const [row] = await sql<{ sightings: number; agents: number }[]>`
    select count(*)::int as sightings, count(distinct agent_no)::int as agents
    from sightings where offender = any(${[...offenders]}::cidr[])`;
  return { sightings: row?.sightings ?? 0, agents: row?.agents ?? 0 };
}

export async function newestSightings(sql: Sql, offenders: readonly Prefix[]): Promise<ExplainedSighting[]> {
  const rows = await sql<
    {
      sighted_at: Date;
      agent: string | null;
      source: number;
      jail: string;
      kind: number;
      failures: number;
      outcome: number;
      prefix: string;
      protocol: string;
      ports: string;
      evidence: Buffer | null;
    }[]
  >`
    select sighted_at, a.name as agent, source, jail, kind, failures, outcome, prefix, protocol, ports, evidence
    from sightings s left join agents a using (agent_no)
    where offender = any(${[...offenders]}::cidr[]) order by received_at desc limit ${MAX_SIGHTINGS}`;
  return rows.map((row) => ({
    atMs: row.sighted_at.getTime(),
    agent: row.agent ?? "(removed)",
    source: sourceName(row.source),
    jail: row.jail,
    kind: kindName(row.kind),
    failures: row.failures,
    outcome: outcomeName(row.outcome),
    address: parsePrefix(row.prefix),
    protocol: row.protocol,
    ports: row.ports,
    evidence: row.evidence?.toString("utf8") ?? "",
  }));
}

export async function strikes(sql: Sql, offenders: readonly Prefix[]): Promise<ExplainedStrike[]> {
  const rows = await sql<
    {
      strike_no: number;
      struck_at: Date;
      until: Date | null;
      agents: string[] | null;
      summary: { jails?: Record<string, number> };
      voided_at: Date | null;
    }[]
  >`
    select strike_no, struck_at, until, summary, voided_at,
      (select array_agg(name order by name) from agents where agent_no = any(strikes.agents)) as agents
    from strikes where prefix = any(${[...offenders]}::cidr[]) order by struck_at desc limit ${MAX_STRIKES}`;
  return rows.map((row) => ({
    strikeNo: row.strike_no,
    struckAtMs: row.struck_at.getTime(),
    untilMs: row.until?.getTime() ?? 0,
    agents: (row.agents ?? []).slice(0, MAX_NAMES),
    summary: jailsText(row.summary),
    voided: row.voided_at !== null,
  }));
}

/** Names of feeds that name the prefix or a network around it, or for IPv6 an address in it. */
export async function feedsNaming(sql: Sql, prefix: Prefix, around: readonly Prefix[]): Promise<string[]> {
  const rows = await sql<{ name: string; prefix: string; confidence: number; mode: string }[]>`
    select name, prefix, confidence, mode from feed_prefixes join feeds using (feed_no)
    where prefix = any(${[...around]}::cidr[]) or prefix << ${prefix}::cidr
    order by name, prefix limit ${MAX_NAMES}`;
  return rows.map(
    (row) =>
      `${row.name}: ${parsePrefix(row.prefix)}, confidence ${row.confidence}${row.mode === "enforce" ? "" : ` (${row.mode})`}`,
  );
}

function jailsText({ jails }: { jails?: Record<string, number> }): string {
  const counts = Object.entries(jails ?? {});
  return counts.map(([jail, count]) => `${jail} ${count}`).join(", ");
}
