/** Policies and their plans as the Admin service tells them. */
import type { ListNo } from "@fleetban/proto/model/listing";
import { msFromSeconds } from "@fleetban/proto/model/time";
import { isOpenEnded } from "@fleetban/proto/model/until";
import type { PolicyPlan, PolicyStatus } from "@fleetban/proto/wire/admin";
import type { PolicyPlan as Planned } from "../policies/make-plan.ts";
import { kindOf, type PlannedChange } from "../policies/plan-lists.ts";
import { isUnconfirmed, type StoredPolicy, stateOf } from "../policies/stored-policy.ts";
import type { AdminParts } from "./parts.ts";

const CHANGES_SHOWN = 20;
const CHANGES_MAX = 10_000;

/** While none is applied. */
export const DEFAULTS: PolicyStatus = {
  ...{ policyNo: 0, state: "defaults", author: "", appliedAtMs: 0, reason: "", days: 0, canaryGroup: "" },
  ...{ canaryUntilMs: 0, beganAtMs: 0, confirmByMs: 0, confirmedAtMs: 0, rolledBackAtMs: 0, rolledBackBy: "" },
  ...{ rolledBackBecause: "", settled: true, sha256: "", trialListings: 0 },
};

export function statusOf(policy: StoredPolicy, inForceNo: number, onTrial: number): PolicyStatus {
  const { rolledBack, canary } = policy;
  const state = stateOf(policy, inForceNo);
  return {
    policyNo: policy.policyNo,
    state,
    author: policy.author,
    appliedAtMs: policy.appliedAtMs,
    reason: policy.reason,
    days: policy.days,
    canaryGroup: canary?.group ?? "",
    canaryUntilMs: canary?.untilMs ?? 0,
    beganAtMs: policy.beganAtMs ?? 0,
    confirmByMs: isUnconfirmed(policy) ? (policy.confirmByMs ?? 0) : 0,
    confirmedAtMs: policy.confirmedAtMs ?? 0,
    rolledBackAtMs: rolledBack?.atMs ?? 0,
    rolledBackBy: rolledBack?.by ?? "",
    rolledBackBecause: rolledBack?.because ?? "",
    settled: rolledBack === undefined ? policy.isSettled : policy.isUndone,
    sha256: policy.sha256,
    trialListings: state === "trial" ? onTrial : 0,
  };
}

export function listNames(
  parts: Pick<AdminParts, "ledger">,
  lists: ReadonlyMap<ListNo, { readonly name: string }>,
): (list: ListNo) => string {
  const present = new Map(parts.ledger.lists().map(({ list }) => [list.list, list.name]));
  return (list) => lists.get(list)?.name ?? present.get(list) ?? String(list);
}

export function planMessage(plan: Planned, nameOf: (list: ListNo) => string, limit: number): PolicyPlan {
  const shown = Math.min(limit || CHANGES_SHOWN, CHANGES_MAX);
  return {
    days: plan.days,
    sightings: plan.sightings,
    prefixes: plan.prefixes,
    strikesBefore: plan.strikesBefore,
    strikesAfter: plan.strikesAfter,
    lists: plan.lists.map(({ list, listings, added, removed, altered }) => {
      return { name: list.name, listings, added: added.length, removed: removed.length, altered };
    }),
    changes: plan.changes.slice(0, shown).map((change) => changeMessage(change, nameOf)),
    collisions: plan.collisions.slice(0, shown).map(({ list, ...collision }) => ({ ...collision, list: nameOf(list) })),
    collisionsTotal: plan.collisions.length,
    wide: [...plan.wide],
    unknown: [...plan.unknown],
    tookMs: plan.tookMs,
  };
}

function changeMessage(change: PlannedChange, nameOf: (list: ListNo) => string) {
  const { before, after } = change;
  const untilMs = (end: PlannedChange["after"]) =>
    end === undefined || isOpenEnded(end.until) ? 0 : msFromSeconds(end.until);
  return {
    list: nameOf(change.list),
    prefix: change.prefix,
    kind: kindOf(change),
    beforeUntilMs: untilMs(before),
    beforeRank: before?.rank ?? 0,
    afterUntilMs: untilMs(after),
    afterRank: after?.rank ?? 0,
    reasons: [...change.reasons],
  };
}
