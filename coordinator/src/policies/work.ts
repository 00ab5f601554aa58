/**
 * What policies do by themselves, looked at each second by every replica: a trial is renewed, watched, and put in force for
 * all when its time is over without alarm; one that nobody confirmed goes back; what was interrupted goes on.
 */

import {
  BY_ITSELF,
  begin,
  isOver,
  type LifeParts,
  notConfirmedText,
  renewTrial,
  rollBack,
  settleNow,
  undoNow,
} from "./policy-life.ts";
import { countOnTrial, selectUnfinished } from "./queries.ts";
import type { StoredPolicy } from "./stored-policy.ts";
import { isUnconfirmed } from "./stored-policy.ts";
import type { TrialAlarms } from "./trial-alarms.ts";

export interface WorkParts extends LifeParts {
  readonly alarms: TrialAlarms;
}

interface Renewal {
  policyNo: number;
  dueMs: number;
  isRunning: boolean;
}

const LOOK_EVERY_MS = 1_000;
/** A plan of a busy fleet takes its time; it must not be most of what the coordinator does. */
const RENEW_AT_LEAST_MS = 30_000;
const RENEW_REST = 20;
/** Whoever applies a policy begins it at once. */
const LEFT_AFTER_MS = 60_000;

/** Until the signal aborts. */
export async function runPolicies(parts: WorkParts, signal: AbortSignal): Promise<never> {
  const renewal: Renewal = { policyNo: 0, dueMs: 0, isRunning: false };
  for (;;) {
    await parts.clock.sleep(LOOK_EVERY_MS, signal);
    try {
      for (const policy of await selectUnfinished(parts.store.sql)) await workOn(parts, policy, renewal);
    } catch (error) {
      signal.throwIfAborted();
      parts.log.warn("policies.work_failed", { error });
    }
  }
}

async function workOn(parts: WorkParts, policy: StoredPolicy, renewal: Renewal): Promise<unknown> {
  const nowMs = parts.ledger.ledgerTimeMs();
  if (policy.rolledBack !== undefined) return undoNow(parts, policy);
  if (policy.beganAtMs === undefined) return tryOut(parts, policy, renewal);
  if (isUnconfirmed(policy) && isOver(policy.confirmByMs, nowMs)) {
    return rollBack(parts, policy, BY_ITSELF, notConfirmedText(policy), "unconfirmed");
  }
  return policy.isSettled ? undefined : settleNow(parts, policy);
}

async function tryOut(parts: WorkParts, policy: StoredPolicy, renewal: Renewal): Promise<unknown> {
  if (policy.canary === undefined) return beginLeft(parts, policy);
  const alarm = await parts.alarms.look(policy);
  if (alarm !== undefined) return rollBack(parts, policy, BY_ITSELF, `alarm: ${alarm}`);
  if (isOver(policy.canary?.untilMs, parts.ledger.ledgerTimeMs()) && (await wasTried(parts, policy))) {
    return begin(parts, policy, BY_ITSELF, "policy begin");
  }
  const isDue = renewal.policyNo !== policy.policyNo || parts.clock.monotonicMs() >= renewal.dueMs;
  if (isDue && !renewal.isRunning) void renew(parts, policy, renewal); // never rejects
  return undefined;
}

/** Applied without a trial, by a coordinator that stopped before it began: an operator has been told that it is stored. */
async function beginLeft(parts: WorkParts, policy: StoredPolicy): Promise<unknown> {
  if (parts.ledger.ledgerTimeMs() - policy.appliedAtMs < LEFT_AFTER_MS) return undefined;
  return begin(parts, policy, BY_ITSELF, "policy begin");
}

/** Beside the look for alarms: a plan of a busy fleet takes half a minute, and an alarm must not wait for it. */
async function renew(parts: WorkParts, policy: StoredPolicy, renewal: Renewal): Promise<void> {
  renewal.isRunning = true;
  renewal.policyNo = policy.policyNo;
  let tookMs = 0;
  try {
    const plan = await renewTrial(parts, policy);
    tookMs = plan?.tookMs ?? 0;
    const [wide] = policy.isApproved ? [] : (plan?.wide ?? []);
    if (wide !== undefined) {
      await rollBack(parts, policy, BY_ITSELF, `alarm: it would change much at once: ${wide}`, "on-trial");
    }
  } catch (error) {
    parts.log.warn("policies.trial_not_renewed", { policyNo: policy.policyNo, error });
  }
  renewal.dueMs = parts.clock.monotonicMs() + Math.max(RENEW_AT_LEAST_MS, RENEW_REST * tookMs);
  renewal.isRunning = false;
}

/** A time without alarm says nothing when no agent had it: then the trial waits for one. */
async function wasTried({ store }: WorkParts, { canary }: StoredPolicy): Promise<boolean> {
  return (await countOnTrial(store.sql, canary?.group ?? "")) > 0;
}
