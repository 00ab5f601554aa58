/** SQL of what a policy makes of strikes: those it takes back, those it adds, and the way back. */
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { prefixFromSql, untilToSql } from "../ledger/sql-values.ts";
import type { Subject } from "../ledger/subject.ts";
import type { Sql } from "../store/sql.ts";
import { voidedBy } from "./stored-policy.ts";

export interface AddedStrike extends Subject {
  readonly struckAt: UnixSeconds;
  readonly until: UnixSeconds;
  readonly madeAt: UnixSeconds;
  readonly agents: readonly number[];
  readonly summary: string;
}

export interface LongerStrike {
  readonly strikeNo: number;
  readonly until: UnixSeconds;
}

export async function voidStrikes(sql: Sql, numbers: readonly number[], policyNo: number): Promise<void> {
  if (numbers.length === 0) return;
  await sql`
    update strikes set voided_at = clock_timestamp(), voided_by = ${voidedBy(policyNo)}
    where strike_no = any(${[...numbers]}::bigint[])`;
}

export async function addStrikes(sql: Sql, added: readonly AddedStrike[], policyNo: number): Promise<void> {
  if (added.length === 0) return;
  await sql`
    insert into strikes (strike_no, prefix, list_no, struck_at, until, policy_no, agents, summary, revision, made_at)
    select nextval('strike_numbers'), prefix, list_no, to_timestamp(struck_at), to_timestamp(until), ${policyNo},
      agents::int[], summary::jsonb, (select revision + 1 from ledger), to_timestamp(made_at)
    from unnest(${added.map((one) => one.prefix)}::cidr[], ${added.map((one) => one.list)}::int[],
      ${added.map((one) => one.struckAt)}::float8[], ${added.map((one) => untilToSql(one.until))}::float8[],
      ${added.map((one) => `{${one.agents.join(",")}}`)}::text[], ${added.map((one) => one.summary)}::text[],
      ${added.map((one) => one.madeAt)}::float8[])
      as t(prefix, list_no, struck_at, until, agents, summary, made_at)`;
}

/** In its place another that lasts longer: so that a way back finds the old one as it was. */
export async function replaceStrikes(sql: Sql, longer: readonly LongerStrike[], policyNo: number): Promise<void> {
  if (longer.length === 0) return;
  const numbers = longer.map(({ strikeNo }) => strikeNo);
  await sql`
    insert into strikes (strike_no, prefix, list_no, struck_at, until, policy_no, agents, summary, revision, made_at)
    select nextval('strike_numbers'), prefix, list_no, struck_at, to_timestamp(t.until), ${policyNo}, agents, summary,
      (select revision + 1 from ledger), made_at
    from unnest(${numbers}::bigint[], ${longer.map(({ until }) => untilToSql(until))}::float8[]) as t(strike_no, until)
    join strikes s using (strike_no)`;
  await voidStrikes(sql, numbers, policyNo);
}

/** Takes back what a policy made of these prefixes, and gives back what it took. Gives the subjects. */
export async function undoStrikes(sql: Sql, prefixes: readonly Prefix[], policyNo: number): Promise<Subject[]> {
  const rows = await sql<{ prefix: string; list_no: ListNo }[]>`
    with taken as (
      update strikes set voided_at = clock_timestamp(), voided_by = ${`${voidedBy(policyNo)} rolled back`}
      where prefix = any(${[...prefixes]}::cidr[]) and policy_no = ${policyNo} and voided_at is null
      returning prefix, list_no
    ), given as (
      update strikes set voided_at = null, voided_by = null
      where prefix = any(${[...prefixes]}::cidr[]) and policy_no <> ${policyNo} and voided_by = ${voidedBy(policyNo)}
      returning prefix, list_no
    )
    select prefix::text, list_no from taken union select prefix::text, list_no from given`;
  return rows.map((row) => ({ prefix: prefixFromSql(row.prefix), list: row.list_no }));
}
