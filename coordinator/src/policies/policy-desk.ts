/** What operators' commands need of the policies' rows, each change with its audit record in the same transaction. */
import { type Actor, recordAct } from "../admin/audit.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import { countAgents, selectGroups } from "./list-queries.ts";
import type { LifeParts } from "./policy-life.ts";
import {
  confirmPolicy,
  insertPolicy,
  lockPolicies,
  type NewPolicy,
  notifyPolicies,
  selectBody,
  selectPolicies,
} from "./queries.ts";
import type { StoredPolicy } from "./stored-policy.ts";

/** Newest first. */
export const newestPolicies: (sql: Sql, limit: number) => Promise<StoredPolicy[]> = selectPolicies;

export async function policyOfNumber(sql: Sql, policyNo: number): Promise<StoredPolicy | undefined> {
  const [policy] = await selectPolicies(sql, 1, policyNo);
  return policy?.policyNo === policyNo ? policy : undefined;
}

export const policyText: (sql: Sql, policyNo: number) => Promise<string | undefined> = selectBody;

/** Why this group can't try a policy. */
export async function canaryProblem(sql: Sql, group: string): Promise<{ message: string; hint: string } | undefined> {
  const groups = (await selectGroups(sql)).map(({ name }) => name);
  if (!groups.includes(group)) {
    return { message: `group ${group}: there is none of that name`, hint: `there are: ${groups.join(", ")}` };
  }
  if ((await countAgents(sql, group)) > 0) return undefined;
  return {
    message: `group ${group}: has no agents`,
    hint: `put one into it with: fleetban agents move NAME --group ${group}`,
  };
}

/** `check` throws where it may not be: asked while no other replica can store one. */
export async function storePolicy(
  store: Store,
  actor: Actor,
  wanted: NewPolicy,
  check: (sql: Sql) => Promise<void> = async () => undefined,
): Promise<StoredPolicy> {
  return store.transaction(async (sql) => {
    await lockPolicies(sql);
    await check(sql);
    const stored = await insertPolicy(sql, wanted);
    const { canary, confirmSeconds, days } = wanted;
    const after = { days, canary, confirm_seconds: confirmSeconds };
    await recordAct(sql, actor, { act: "policy apply", subject: `policy ${stored}`, reason: wanted.reason, after });
    const [policy] = await selectPolicies(sql, 1);
    if (policy?.policyNo !== stored) throw new Error(`internal error: policy ${stored} is not the newest`);
    return policy;
  });
}

/** So that its feeds are fetched, by whichever replica. */
export async function announceTrial({ store, policies, onMoved }: LifeParts): Promise<void> {
  await notifyPolicies(store.sql);
  await policies.refresh();
  await onMoved();
}

/** False = it has gone back meanwhile, or is confirmed already. */
export async function confirm(store: Store, actor: Actor, policy: StoredPolicy, reason: string): Promise<boolean> {
  const { policyNo } = policy;
  return store.transaction(async (sql) => {
    if (!(await confirmPolicy(sql, policyNo))) return false;
    await recordAct(sql, actor, { act: "policy confirm", subject: `policy ${policyNo}`, reason });
    return true;
  });
}
