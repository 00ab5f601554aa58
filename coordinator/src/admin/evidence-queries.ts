/** SQL of what `explain` judges one prefix by. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { momentFromSql } from "../ledger/sql-values.ts";
import type { Exemption } from "../policy/evidence.ts";
import type { Sql } from "../store/sql.ts";

export async function strikesMadeSince(
  sql: Sql,
  offenders: readonly Prefix[],
  from: UnixSeconds,
): Promise<ReadonlySet<number>> {
  const rows = await sql<{ strike_no: number }[]>`
    select strike_no from strikes
    where prefix = any(${[...offenders]}::cidr[]) and voided_at is null and made_at >= to_timestamp(${from}::float8)`;
  return new Set(rows.map((row) => row.strike_no));
}

/** When each of these pardons and rows of the allowlist began. */
export async function exemptionBeginnings(
  sql: Sql,
  exemptions: readonly Exemption[],
): Promise<(exemption: Exemption) => UnixSeconds> {
  if (exemptions.length === 0) return () => unixSeconds(0);
  const numbers = (kind: Exemption["kind"]) =>
    exemptions.filter((one) => one.kind === kind).map(({ number }) => number);
  const rows = await sql<{ key: string; begun: number }[]>`
    select 'pardoned ' || number as key, extract(epoch from begun_at)::float8 as begun
    from pardons where number = any(${numbers("pardoned")}::bigint[])
    union all
    select 'allowed ' || number, extract(epoch from begun_at)::float8
    from allowlist where number = any(${numbers("allowed")}::bigint[])`;
  const begun = new Map(rows.map((row) => [row.key, momentFromSql(row.begun)]));
  return ({ kind, number }) => begun.get(`${kind} ${number}`) ?? unixSeconds(0);
}

export async function agentNames(sql: Sql, agents: readonly number[]): Promise<ReadonlyMap<number, string>> {
  if (agents.length === 0) return new Map();
  const rows = await sql<{ agent_no: number; name: string }[]>`
    select agent_no, name from agents where agent_no = any(${[...new Set(agents)]}::int[])`;
  return new Map(rows.map((row) => [row.agent_no, row.name]));
}
