/** What an operator shall see of policies without asking: one that waits for his word, and one that went back by itself. */
import type { Sql } from "../store/sql.ts";
import { BY_ITSELF } from "./policy-life.ts";
import { selectPolicies } from "./queries.ts";
import { isUnconfirmed, type StoredPolicy, trialOf } from "./stored-policy.ts";

export type PolicyWarnable = "policy-on-trial" | "policy-unconfirmed" | "policy-went-back";

export interface PolicyWarning {
  readonly code: PolicyWarnable;
  readonly subject: string;
}

const NEWEST = 100;
const TOLD_MS = 86_400_000;

export async function policyWarnings(sql: Sql, nowMs: number): Promise<readonly PolicyWarning[]> {
  return warningsOf(await selectPolicies(sql, NEWEST), nowMs);
}

/** Newest first. One that went back is told for a day, or until another one is applied. */
export function warningsOf(policies: readonly StoredPolicy[], nowMs: number): readonly PolicyWarning[] {
  const trial = trialOf(policies);
  if (trial !== undefined) return [{ code: "policy-on-trial", subject: String(trial.policyNo) }];
  const waiting = policies.find(isUnconfirmed);
  if (waiting !== undefined) return [{ code: "policy-unconfirmed", subject: String(waiting.policyNo) }];
  const [newest] = policies;
  const ended = newest?.rolledBack;
  if (newest === undefined || ended?.by !== BY_ITSELF.name || nowMs - ended.atMs > TOLD_MS) return [];
  return [{ code: "policy-went-back", subject: `${newest.policyNo}: ${ended.because}` }];
}
