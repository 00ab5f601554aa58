/**
 * A policy's row and its life: tried on one group, in force for all, confirmed or not, replaced by the next, rolled back.
 * Pure.
 */
import type { UnixMs } from "@fleetban/proto/model/time";

export interface StoredPolicy {
  readonly policyNo: number;
  readonly sha256: string;
  readonly author: string;
  readonly reason: string;
  /** So many days of sightings are decided anew when it comes into force. */
  readonly days: number;
  readonly appliedAtMs: UnixMs;
  /** Tried on this group until then, before all have it. */
  readonly canary: { readonly group: string; readonly untilMs: UnixMs } | undefined;
  readonly beganAtMs: UnixMs | undefined;
  readonly confirmSeconds: number | undefined;
  /** It goes back by itself then; absent = it need not be confirmed, or is. */
  readonly confirmByMs: UnixMs | undefined;
  readonly confirmedAtMs: UnixMs | undefined;
  readonly isApproved: boolean;
  /** All that follows from it is on the lists. */
  readonly isSettled: boolean;
  readonly rolledBack: { readonly atMs: UnixMs; readonly by: string; readonly because: string } | undefined;
  /** All that followed from it is off the lists. */
  readonly isUndone: boolean;
}

export type PolicyState = "trial" | "in-force" | "replaced" | "rolled-back";

/** `inForceNo`: as the ledger's row has it. */
export function stateOf(policy: StoredPolicy, inForceNo: number): PolicyState {
  if (policy.rolledBack !== undefined) return "rolled-back";
  if (policy.beganAtMs === undefined) return "trial";
  return policy.policyNo === inForceNo ? "in-force" : "replaced";
}

/** Of these the one that is tried on a group now: there is one at most. */
export function trialOf(policies: readonly StoredPolicy[]): StoredPolicy | undefined {
  return policies.find(({ beganAtMs, rolledBack }) => beganAtMs === undefined && rolledBack === undefined);
}

/** Its wait for a confirmation is not over. */
export function isUnconfirmed({ confirmByMs, confirmedAtMs, rolledBack }: StoredPolicy): boolean {
  return confirmByMs !== undefined && confirmedAtMs === undefined && rolledBack === undefined;
}

/** As `strikes.voided_by` names it. */
export function voidedBy(policyNo: number): string {
  return `policy ${policyNo}`;
}
