/**
 * What becomes of a policy, step by step: tried, begun, settled, rolled back, undone. Each step is a row's change in one
 * commit with its audit record; what follows from it on the lists is done after it and found again when interrupted.
 *
 * Only one replica works on a policy at a time, by a lease that it extends while it works.
 */
import type { Clock } from "@fleetban/kit/clock";
import { formatDuration } from "@fleetban/kit/duration";
import type { Log } from "@fleetban/kit/log";
import type { UnixMs } from "@fleetban/proto/model/time";
import { type Actor, recordAct } from "../admin/audit.ts";
import type { FeedDefinition } from "../feeds/feed.ts";
import { guardrailsOf } from "../guardrails/guardrails.ts";
import type { Packs } from "../guardrails/pack.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { PolicyFile } from "../policy/policy-table.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import { type Candidate, candidateOf } from "./candidate.ts";
import { defineGroups, defineLists } from "./lists-and-groups.ts";
import { makePlan, type PolicyPlan } from "./make-plan.ts";
import type { Policies } from "./policies.ts";
import {
  beginPolicy,
  type Ended,
  endPolicy,
  giveLeaseBack,
  isOnTrial,
  markSettled,
  markUndone,
  type OnlyWhile,
  selectBody,
  takeLease,
} from "./queries.ts";
import { settle } from "./settle.ts";
import type { StoredPolicy } from "./stored-policy.ts";
import { syncTrial, trialListings } from "./trial.ts";

export interface LifeParts {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
  readonly policies: Policies;
  readonly retentionSeconds: number;
  /** What a policy makes of the feeds, with the secrets of the configuration. */
  readonly definitionsOf: (file: PolicyFile) => readonly FeedDefinition[];
  readonly readPacks: () => Promise<Packs>;
  /** Called when another policy is in force, or a trial began or ended: the feeds look at once. */
  readonly onMoved: () => Promise<void>;
  /** Who leases: this run of this replica. */
  readonly runId: string;
}

/** Who is told in the audit log of what happens by itself. */
export const BY_ITSELF: Actor = { name: "policy", role: "policy" };

const LEASE_SECONDS = 60;
const DAY_MS = 86_400_000;
const FOREVER = new AbortController().signal;

export function readCandidate(parts: LifeParts, body: string, name: string, policyNo: number): Candidate {
  const present = parts.ledger.lists().map(({ list }) => list);
  return candidateOf(body, name, { policyNo, retentionSeconds: parts.retentionSeconds }, present);
}

export async function planOf(
  parts: LifeParts,
  candidate: Candidate,
  days: number,
  signal: AbortSignal = FOREVER,
): Promise<PolicyPlan> {
  const packs = await parts.readPacks();
  const ask = {
    ...{ candidate, days },
    definitions: parts.definitionsOf(candidate.file),
    packs: candidate.file.packs.flatMap((name) => packs.get(name) ?? []),
    guardrails: guardrailsOf(parts.policies.current().file),
  };
  return makePlan(parts, ask, signal);
}

/** Puts it in force for all, and brings the lists to it. False = another replica does, or it is over. */
export async function begin(parts: LifeParts, policy: StoredPolicy, actor: Actor, act: string): Promise<boolean> {
  const { store, ledger, policies } = parts;
  const { policyNo, reason } = policy;
  const body = await selectBody(store.sql, policyNo);
  if (body === undefined) throw new Error(`internal error: policy ${policyNo} has no text`);
  const { file } = readCandidate(parts, body, `policy ${policyNo}`, policyNo);
  await defineLists(parts, file);
  await policies.refresh();
  let hasBegun = false;
  await ledger.write({ kind: "policy", no: policyNo }, async (sql) => {
    hasBegun = await beginPolicy(sql, policyNo);
    if (!hasBegun) return [];
    await defineGroups(sql, file, policy.canary?.group);
    await recordAct(sql, actor, { act, subject: `policy ${policyNo}`, reason, after: { days: policy.days } });
    return [];
  });
  await policies.refresh();
  if (!hasBegun) return false;
  parts.log.info("policies.begun", { policyNo, actor: actor.name });
  await parts.onMoved();
  return settleNow(parts, policy);
}

/** Of the policy in force, after it began. */
export async function settleNow(parts: LifeParts, policy: StoredPolicy): Promise<boolean> {
  return underLease(parts, policy, async (beforeSlice) => {
    const isInForce = () => parts.policies.current().policy.policyNo === policy.policyNo;
    await parts.policies.refresh(); // that a policy is not known yet must not look like that it was replaced
    if (!isInForce()) return markSettled(parts.store.sql, policy.policyNo); // another one brings the lists to itself
    const goesOn = async () => isInForce() && (await beforeSlice());
    const changed = await bringLists(parts, policy.days, undefined, policy.isApproved, goesOn);
    if (changed === undefined) return;
    await endTrial(parts, policy.policyNo);
    await markSettled(parts.store.sql, policy.policyNo);
    parts.log.info("policies.settled", { policyNo: policy.policyNo, changed });
  });
}

/**
 * Of an operator, by an alarm, or for want of a confirmation. False = it was over already, or the reason holds no more: the
 * policy may have been put in force or confirmed since it was looked at.
 */
export async function rollBack(
  parts: LifeParts,
  policy: StoredPolicy,
  actor: Actor,
  because: string,
  onlyWhile?: OnlyWhile,
): Promise<boolean> {
  const { ledger, policies } = parts;
  const { policyNo } = policy;
  const outcome: { ended?: Ended | undefined } = {};
  await ledger.write({ kind: "policy", no: policyNo }, async (sql) => {
    const ended = await endPolicy(sql, policyNo, { by: actor.name, because }, onlyWhile);
    outcome.ended = ended;
    if (ended === undefined) return [];
    const after = { in_force: ended.inForceNo };
    await recordAct(sql, actor, { act: "policy rollback", subject: `policy ${policyNo}`, reason: because, after });
    return [];
  });
  await policies.refresh();
  const { ended } = outcome;
  if (ended === undefined) return false;
  parts.log.warn("policies.rolled_back", { policyNo, because, inForce: policies.current().policy.policyNo });
  // At once, whoever has the lease: nothing is added to a trial that is over.
  await endTrial(parts, policyNo);
  await undoNow(parts, { ...policy, beganAtMs: ended.beganAtMs });
  return true;
}

export async function undoNow(parts: LifeParts, policy: StoredPolicy): Promise<boolean> {
  return underLease(parts, policy, async (beforeSlice) => {
    await endTrial(parts, policy.policyNo);
    await parts.onMoved();
    if (policy.beganAtMs !== undefined) {
      const sinceMs = parts.ledger.ledgerTimeMs() - policy.beganAtMs;
      const days = policy.days + Math.ceil(sinceMs / DAY_MS);
      const changed = await bringLists(parts, days, policy.policyNo, true, beforeSlice);
      if (changed === undefined) return;
    }
    await markUndone(parts.store.sql, policy.policyNo);
    parts.log.info("policies.undone", { policyNo: policy.policyNo });
  });
}

/**
 * Brings the list of the trial to what the policy would add now, and gives the plan that says so. One that has become wide
 * since an operator saw it is not carried out. Undefined = another replica works on it.
 */
export async function renewTrial(
  parts: LifeParts,
  policy: StoredPolicy,
  plan?: PolicyPlan,
): Promise<PolicyPlan | undefined> {
  let renewed: PolicyPlan | undefined;
  await underLease(parts, policy, async (beforeSlice) => {
    const made = plan ?? (await planOf(parts, await storedCandidate(parts, policy.policyNo), policy.days));
    renewed = made;
    if (made.wide.length > 0 && !policy.isApproved) return;
    const isTried = async (sql: Sql) => (await isOnTrial(sql, policy.policyNo)) && (await beforeSlice());
    const changed = await syncTrial(parts, policy.policyNo, trialListings(made.changes), isTried, FOREVER);
    if (changed !== undefined && changed > 0) {
      parts.log.info("policies.trial_renewed", { policyNo: policy.policyNo, changed });
    }
    if (changed !== undefined) {
      await defineGroups(parts.store.sql, parts.policies.current().file, policy.canary?.group);
    }
    await giveLeaseBack(parts.store.sql, policy.policyNo, parts.runId);
  });
  return renewed;
}

/** The list of the trial is emptied before it is taken from the group: agents drop its entries by a delta, at once. */
async function endTrial(parts: LifeParts, policyNo: number): Promise<void> {
  await syncTrial(parts, policyNo, new Map(), async () => true, FOREVER);
  await defineGroups(parts.store.sql, parts.policies.current().file, undefined);
}

async function bringLists(
  parts: LifeParts,
  days: number,
  undoes: number | undefined,
  isApproved: boolean,
  beforeSlice: () => Promise<boolean>,
): Promise<number | undefined> {
  const { policyNo } = parts.policies.current().policy;
  const plan = await planOf(parts, await storedCandidate(parts, policyNo), days);
  const policy = () => parts.policies.current().policy;
  return settle({ ...parts, policy }, { plan, days, undoes, isApproved, beforeSlice }, FOREVER);
}

async function storedCandidate(parts: LifeParts, policyNo: number): Promise<Candidate> {
  const body = (await selectBody(parts.store.sql, policyNo)) ?? "";
  return readCandidate(parts, body, `policy ${policyNo}`, policyNo);
}

/** False = another replica works on it. */
async function underLease(
  parts: LifeParts,
  { policyNo }: StoredPolicy,
  work: (beforeSlice: () => Promise<boolean>) => Promise<void>,
): Promise<boolean> {
  const extend = () => takeLease(parts.store.sql, policyNo, parts.runId, LEASE_SECONDS);
  if (!(await extend())) return false;
  await work(extend);
  return true;
}

export function notConfirmedText({ confirmSeconds = 0 }: StoredPolicy): string {
  return `not confirmed within ${formatDuration(confirmSeconds)}`;
}

export function isOver(atMs: UnixMs | undefined, nowMs: number): boolean {
  return atMs !== undefined && atMs <= nowMs;
}
