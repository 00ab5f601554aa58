/** What the database knows of one prefix: strikes, feeds. */
import { isSingle, type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import type { ExplainedStrike } from "@fleetban/proto/wire/admin";
import type { Sql } from "../store/sql.ts";
import { lastIn } from "./listings.ts";

const MAX_STRIKES = 20;
const MAX_NAMES = 20;

/** `offenders` are what its sightings are counted under: the prefix, and for IPv6 the network around it. */
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

/** One entry of a feed. */
export interface NamedByFeed {
  readonly name: string;
  readonly prefix: Prefix;
  readonly confidence: number;
  readonly mode: string;
}

/** What feeds name of it: the prefix, a network around it, or something in it. */
export async function feedsNaming(sql: Sql, prefix: Prefix, around: readonly Prefix[]): Promise<NamedByFeed[]> {
  const inside = sql`
    union all
    select name, prefix, confidence, mode from feed_prefixes join feeds using (feed_no)
    where prefix > ${prefix}::cidr and prefix <= ${lastIn(sql, prefix)}`;
  const rows = await sql<{ name: string; prefix: string; confidence: number; mode: string }[]>`
    select name, prefix, confidence, mode from feed_prefixes join feeds using (feed_no)
    where prefix = any(${[...around]}::cidr[])
    ${isSingle(prefix) ? sql`` : inside}
    order by name, prefix limit ${MAX_NAMES}`;
  return rows.map((row) => ({ ...row, prefix: parsePrefix(row.prefix) }));
}

function jailsText({ jails }: { jails?: Record<string, number> }): string {
  const counts = Object.entries(jails ?? {});
  return counts.map(([jail, count]) => `${jail} ${count}`).join(", ");
}
