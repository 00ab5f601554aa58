/** The bad states of the guardrails, as data: changes that wait for an operator, and packs that are not there. */
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { Sql } from "../store/sql.ts";

/** Of feeds and of the clock their own rooms tell. */
export type GuardrailWarnable = "list-held" | "policy-held" | "claim-held" | "prefix-held" | "pack-missing";

export interface GuardrailWarning {
  readonly code: GuardrailWarnable;
  /** The list, agent, prefix or pack. */
  readonly subject: string;
}

/** Open ones. */
export interface HoldCount {
  readonly subject: string;
  readonly count: number;
  readonly oldestAtMs: number;
}

const CODES: Readonly<Record<string, GuardrailWarnable>> = {
  list: "list-held",
  policy: "policy-held",
  claim: "claim-held",
  prefix: "prefix-held",
};
const NAMED_MAX = 5;

export async function holdWarnings(sql: Sql): Promise<GuardrailWarning[]> {
  const rows = await sql<{ subject: string; name: string | null; prefix: string | null; place: number }[]>`
    select subject, prefix::text, case subject when 'list' then (select name from lists where list_no = subject_no)
      when 'policy' then subject_no::text end as name,
      row_number() over (partition by subject order by hold_no)::int as place
    from holds where resolved_at is null and subject = any(${Object.keys(CODES)}::text[]) order by hold_no`;
  return rows.flatMap(({ subject, name, prefix, place }) => {
    const code = CODES[subject];
    if (code === undefined || place > NAMED_MAX) return [];
    return [{ code, subject: prefix === null ? (name ?? "") : parsePrefix(prefix) }];
  });
}

export async function holdCounts(sql: Sql): Promise<HoldCount[]> {
  const rows = await sql<{ subject: string; count: number; oldest: Date }[]>`
    select subject, count(*)::int as count, min(opened_at) as oldest from holds where resolved_at is null group by subject`;
  return rows.map(({ subject, count, oldest }) => ({ subject, count, oldestAtMs: oldest.getTime() }));
}
