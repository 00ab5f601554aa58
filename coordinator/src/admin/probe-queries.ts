/** Probes as they are kept, bounded an agent: an operator looks at the last, and back when something began. */
import type { AgentProbe } from "@fleetban/proto/wire/admin";
import type { Sql } from "../store/sql.ts";

type Hops = Pick<
  AgentProbe,
  "networkUs" | "addedUs" | "testedUs" | "removedUs" | "totalUs" | "backend" | "rulePresent"
>;

const DAYS_KEPT = 90;
const KEPT_AN_AGENT = 100;

/** One without an answer has no hops. */
export async function insertProbe(sql: Sql, agentNo: number, probe: AgentProbe, hasAnswered: boolean): Promise<void> {
  const { address, error, probedAtMs, networkUs, addedUs, testedUs, removedUs, totalUs, backend, rulePresent } = probe;
  const hops: Hops = { networkUs, addedUs, testedUs, removedUs, totalUs, backend, rulePresent };
  await sql`
    insert into probes (agent_no, address, asked_at, answered_at, error, hops)
    values (${agentNo}, ${address}::inet, to_timestamp(${probedAtMs / 1_000}::float8),
      ${hasAnswered ? sql`to_timestamp(${(probedAtMs + totalUs / 1_000) / 1_000}::float8)` : null},
      ${error === "" ? null : error}, ${hasAnswered ? sql.json({ ...hops }) : null})`;
}

/** Of each agent, without its id and name. */
export async function lastProbes(sql: Sql): Promise<Map<number, Omit<AgentProbe, "agentId" | "name">>> {
  const rows = await sql<
    { agent_no: number; address: string; asked_at: Date; error: string | null; hops: Hops | null }[]
  >`
    select a.agent_no, host(p.address) as address, p.asked_at, p.error, p.hops
    from agents a cross join lateral (
      select address, asked_at, error, hops from probes where agent_no = a.agent_no order by asked_at desc limit 1) as p`;
  return new Map(
    rows.map(({ agent_no, address, asked_at, error, hops }) => [
      agent_no,
      { address, probedAtMs: asked_at.getTime(), error: error ?? "", ...(hops ?? NO_HOPS) },
    ]),
  );
}

export const NO_HOPS: Hops = {
  ...{ networkUs: 0, addedUs: 0, testedUs: 0, removedUs: 0, totalUs: 0 },
  ...{ backend: "", rulePresent: false },
};

/** The last of each agent stays, however old. */
export async function forgetOldProbes(sql: Sql): Promise<void> {
  await sql`
    delete from probes where probe_no in (
      select probe_no from (
        select probe_no, asked_at, row_number() over (partition by agent_no order by asked_at desc) as nth
        from probes) as kept
      where nth > 1
        and (nth > ${KEPT_AN_AGENT} or asked_at < clock_timestamp() - make_interval(days => ${DAYS_KEPT})))`;
}
