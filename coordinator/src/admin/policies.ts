/** Policies as operators handle them: check, plan, apply, confirm, roll back, alarm, and what there was. */
import { formatDuration } from "@fleetban/kit/duration";
import type {
  ApplyPolicyRequest,
  ApplyPolicyResponse,
  CheckPolicyRequest,
  CheckPolicyResponse,
  ListPoliciesResponse,
  PlanPolicyRequest,
  PolicyActRequest,
  PolicyActResponse,
  PolicyPlan,
  PolicyStatus,
  ShowPolicyRequest,
  ShowPolicyResponse,
} from "@fleetban/proto/wire/admin";
import {
  announceTrial,
  canaryProblem,
  confirm,
  newestPolicies,
  policyOfNumber,
  policyText,
  storePolicy,
} from "../policies/policy-desk.ts";
import { begin, planOf, readCandidate, renewTrial, rollBack } from "../policies/policy-life.ts";
import { isUnconfirmed, type StoredPolicy, trialOf } from "../policies/stored-policy.ts";
import { countTrial } from "../policies/trial.ts";
import type { Sql } from "../store/sql.ts";
import { checkReason, checkSeconds } from "./arguments.ts";
import type { Caller } from "./caller.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";
import { DEFAULTS, listNames, planMessage, statusOf } from "./policy-messages.ts";
import { mistakesOf, refuseMistakes } from "./policy-mistakes.ts";

const DAYS = 7;
const DAYS_MAX = 400;
const POLICIES_SHOWN = 100;

export async function checkPolicy(parts: AdminParts, request: CheckPolicyRequest): Promise<CheckPolicyResponse> {
  return { mistakes: await mistakesOf(parts, request) };
}

export async function planPolicy(parts: AdminParts, request: PlanPolicyRequest): Promise<PolicyPlan> {
  await refuseMistakes(parts, request);
  const candidate = readCandidate(parts.policies, request.body, request.file || "policy.yaml", 0);
  const plan = await planOf(parts.policies, candidate, daysOf(request.days));
  return planMessage(plan, listNames(parts, candidate.lists), request.limit);
}

export async function applyPolicy(
  parts: AdminParts,
  caller: Caller,
  request: ApplyPolicyRequest,
): Promise<ApplyPolicyResponse> {
  const { policies: life } = parts;
  await refuseMistakes(parts, request);
  const reason = checkReason(request.reason);
  const confirmSeconds = checkSeconds(request.confirmSeconds);
  const canary = canaryOf(request);
  const candidate = readCandidate(life, request.body, request.file || "policy.yaml", 0);
  await refuseUnfinished(parts.store.sql);
  const problem = canary === undefined ? undefined : await canaryProblem(parts.store.sql, canary.group);
  if (problem !== undefined) throw new AdminError("not-found", problem.message, { hint: problem.hint });
  const days = daysOf(request.days);
  const planned = await planOf(life, candidate, days);
  const plan = planMessage(planned, listNames(parts, candidate.lists), request.limit);
  if (planned.wide.length > 0 && !request.yes) return { policy: undefined, plan, done: [], needsYes: true };
  const wanted = {
    ...{ body: request.body, author: caller.name, reason, days, canary },
    confirmSeconds: confirmSeconds === 0 ? undefined : confirmSeconds,
    isApproved: request.yes,
  };
  const policy = await storePolicy(parts.store, caller, wanted, refuseUnfinished);
  parts.metrics.auditRecord();
  const done = [`policy ${policy.policyNo} is stored`];
  if (canary === undefined) {
    await begin(life, policy, caller, "policy begin");
    const { settled } = await statusNow(parts, policy.policyNo);
    done.push(
      `policy ${policy.policyNo} is in force, and ${settled ? "the lists are" : "soon the lists are"} what its plan says`,
    );
    if (confirmSeconds > 0) {
      done.push(`it goes back by itself in ${formatDuration(confirmSeconds)}, unless you say: fleetban policy confirm`);
    }
  } else {
    await announceTrial(life);
    await renewTrial(life, policy, planned);
    done.push(
      `what it would add is listed on trial for group ${canary.group} alone, ${await countTrial(parts.store)} listings`,
      `in ${formatDuration(canary.seconds)} it is put in force for all, unless there is an alarm`,
    );
  }
  return { policy: await statusNow(parts, policy.policyNo), plan, done, needsYes: false };
}

export async function confirmPolicy(
  parts: AdminParts,
  caller: Caller,
  request: PolicyActRequest,
): Promise<PolicyActResponse> {
  const policies = await newestPolicies(parts.store.sql, POLICIES_SHOWN);
  const policy = trialOf(policies) ?? policies.find(isUnconfirmed);
  if (policy === undefined) {
    throw new AdminError("not-possible-now", "no policy waits for a confirmation", {
      hint: "`fleetban policy history` shows what there was",
    });
  }
  const { policyNo } = policy;
  const isTrial = policy.beganAtMs === undefined;
  if (!(await confirm(parts.store, caller, policy, checkReason(request.reason)))) {
    throw new AdminError("not-possible-now", `policy ${policyNo} has gone back, or is confirmed already`, {
      hint: "`fleetban policy history` shows which",
    });
  }
  parts.metrics.auditRecord();
  if (isTrial) await begin(parts.policies, { ...policy, confirmSeconds: undefined }, caller, "policy begin");
  const done = isTrial ? "its trial is over, it is in force for all" : "it stays";
  return { policy: await statusNow(parts, policyNo), done: [`policy ${policyNo} is confirmed: ${done}`] };
}

export async function rollbackPolicy(
  parts: AdminParts,
  caller: Caller,
  request: PolicyActRequest,
): Promise<PolicyActResponse> {
  const policies = await newestPolicies(parts.store.sql, POLICIES_SHOWN);
  const policy = policies.find(({ rolledBack }) => rolledBack === undefined);
  if (policy === undefined) {
    throw new AdminError("not-possible-now", "no policy was applied: the defaults hold", {
      hint: "`fleetban policy apply FILE` applies one",
    });
  }
  return endOf(parts, caller, policy, checkReason(request.reason) || "by hand");
}

export async function alarmPolicy(
  parts: AdminParts,
  caller: Caller,
  request: PolicyActRequest,
): Promise<PolicyActResponse> {
  const policy = trialOf(await newestPolicies(parts.store.sql, POLICIES_SHOWN));
  const reason = checkReason(request.reason);
  if (reason === "") throw new AdminError("bad-argument", "an alarm without a reason", { hint: "add --reason" });
  if (policy === undefined) {
    throw new AdminError("not-possible-now", "no policy is on trial", {
      hint: "`fleetban policy rollback` takes back one that is in force",
    });
  }
  return endOf(parts, caller, policy, `alarm: ${reason}`);
}

async function endOf(
  parts: AdminParts,
  caller: Caller,
  policy: StoredPolicy,
  because: string,
): Promise<PolicyActResponse> {
  const { policyNo } = policy;
  await rollBack(parts.policies, policy, caller, because);
  parts.metrics.auditRecord();
  const after = parts.policies.policies.current().policy.policyNo;
  const inForce = after === 0 ? "the defaults hold" : `policy ${after} is in force`;
  const wasTrial = policy.beganAtMs === undefined;
  const status = await statusNow(parts, policyNo);
  const done = [
    wasTrial ? `the trial of policy ${policyNo} is over: ${because}` : `policy ${policyNo} is rolled back: ${because}`,
    `${inForce}${wasTrial ? "" : `, and ${status.settled ? "" : "soon "}the lists are what it makes of them`}`,
  ];
  return { policy: status, done };
}

export async function showPolicy(parts: AdminParts, request: ShowPolicyRequest): Promise<ShowPolicyResponse> {
  const policyNo = request.policyNo || parts.policies.policies.current().policy.policyNo;
  const body = await policyText(parts.store.sql, policyNo);
  if (policyNo !== 0 && body === undefined) {
    throw new AdminError("not-found", `policy ${policyNo}: there is none with that number`, {
      hint: "`fleetban policy history` shows those that there are",
    });
  }
  return { policy: await statusNow(parts, policyNo), body: body ?? "" };
}

export async function listPolicies(parts: AdminParts): Promise<ListPoliciesResponse> {
  const policies = await newestPolicies(parts.store.sql, POLICIES_SHOWN);
  const inForceNo = parts.policies.policies.current().policy.policyNo;
  const onTrial = await countTrial(parts.store);
  return { policies: policies.map((policy) => statusOf(policy, inForceNo, onTrial)) };
}

async function refuseUnfinished(sql: Sql): Promise<void> {
  const policies = await newestPolicies(sql, POLICIES_SHOWN);
  const trial = trialOf(policies);
  const hint = "say `fleetban policy confirm` or `fleetban policy rollback` first";
  if (trial !== undefined) throw new AdminError("not-possible-now", `policy ${trial.policyNo} is on trial`, { hint });
  const waiting = policies.find(isUnconfirmed);
  if (waiting !== undefined) {
    throw new AdminError("not-possible-now", `policy ${waiting.policyNo} waits for its confirmation`, { hint });
  }
}

function canaryOf({ canaryGroup: group, canarySeconds }: ApplyPolicyRequest) {
  const seconds = checkSeconds(canarySeconds);
  if (group === "" && seconds === 0) return undefined;
  if (group !== "" && seconds > 0) return { group, seconds };
  throw new AdminError("bad-argument", group === "" ? "a trial without a group" : "a trial without a time", {
    hint: "give both: --canary GROUP --for 1h",
  });
}

function daysOf(days: number): number {
  if (days <= DAYS_MAX) return days || DAYS;
  throw new AdminError("bad-argument", `${days} days of sightings: at most ${DAYS_MAX}`);
}

async function statusNow(parts: AdminParts, policyNo: number): Promise<PolicyStatus> {
  const inForceNo = parts.policies.policies.current().policy.policyNo;
  const policy = await policyOfNumber(parts.store.sql, policyNo);
  return policy === undefined ? DEFAULTS : statusOf(policy, inForceNo, await countTrial(parts.store));
}
