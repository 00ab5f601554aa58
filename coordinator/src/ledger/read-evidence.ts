/** All that `decide` is given of subjects: what is known of them, and of the networks around that may be listed with them. */
import { LIST_FLEET, type ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Evidence } from "../policy/evidence.ts";
import type { Policy } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";
import { networksAround } from "./conclude.ts";
import { selectEvidence } from "./evidence-queries.ts";
import { selectInside, withInside } from "./inside-queries.ts";
import { prefixFromSql } from "./sql-values.ts";
import { distinctSubjects, type Subject } from "./subject.ts";

/** By `subjectKey`, the networks' too. Sent at once, so that a transaction loses one round trip to it. */
export async function readEvidence(
  sql: Sql,
  subjects: readonly Subject[],
  policy: Policy,
): Promise<Map<string, Evidence>> {
  const networks = distinctSubjects(networksAround(subjects, policy));
  const [evidence, inside] = await Promise.all([
    selectEvidence(sql, [...subjects, ...networks]),
    selectInside(sql, networks),
  ]);
  return withInside(evidence, inside);
}

/** The lists that these prefixes are known on, and what is listed around them for their sake. */
export async function subjectsOf(sql: Sql, prefixes: readonly Prefix[], policy: Policy): Promise<Subject[]> {
  const onFleet = prefixes.map((prefix) => ({ prefix, list: LIST_FLEET }));
  const around = networksAround(onFleet, policy).map(({ prefix }) => prefix);
  const rows = await sql<{ prefix: string; list_no: ListNo }[]>`
    select prefix::text, list_no from strikes where prefix = any(${[...prefixes]}::cidr[]) -- voided ones: what rested on them goes
    union
    select l.prefix::text, l.list_no from lists join listings l using (list_no)
    where l.prefix = any(${around}::cidr[]) and effect = 'deny' and l.reasons @> '[{"kind": "widened"}]'`;
  const known = rows.map((row) => ({ prefix: prefixFromSql(row.prefix), list: row.list_no }));
  return distinctSubjects([...onFleet, ...known]);
}
