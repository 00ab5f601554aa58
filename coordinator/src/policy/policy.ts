/** The settings by which the fleet decides, as one typed record. */

export interface Policy {
  /** Number of the row in `policies`; 0 = the defaults below. */
  readonly policyNo: number;
  /** How long the first strike lists, the second, …; the last for all further ones. */
  readonly ladderSeconds: readonly number[];
  /** No sighting lists for longer, whatever the local ban time. */
  readonly maxSeconds: number;
  /** A strike counts for the ladder until this long after its end. */
  readonly strikeMemorySeconds: number;
  /** With so many strikes the rank is that of a repeat offender. */
  readonly repeatStrikes: number;
  /** Distinct agents that must have sighted a prefix within the window. */
  readonly corroboration: number;
  readonly corroborationWindowSeconds: number;
  /** Whether standing in a feed counts as one more agent. */
  readonly feedsCorroborate: boolean;
  /** Sum of weights that lists; it halves in each half-life. */
  readonly threshold: number;
  readonly halfLifeSeconds: number;
  /** What one sighting weighs, by jail; 0 = it is stored, and no evidence. */
  readonly jailWeights: Readonly<Record<string, number>>;
  readonly defaultWeight: number;
  /** Sightings an agent may send: a bucket of that size, refilled at that rate. */
  readonly quota: { readonly burst: number; readonly perMinute: number };
  /** An agent's claim on an address that so many agents have sighted is held. */
  readonly widelySightedAgents: number;
  /** Sightings older than this are refused, and dropped. */
  readonly retentionSeconds: number;
  /** An open-ended listing that nobody tried for so long ends; 0 = never. */
  readonly pruneAfterSeconds: number;
}

/** Gives the policy in force now: whoever decides asks once and decides all of it by that one. */
export type PolicySource = () => Policy;

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const DEFAULT_POLICY: Policy = {
  policyNo: 0,
  ladderSeconds: [HOUR, 4 * HOUR, DAY, 7 * DAY, 30 * DAY],
  maxSeconds: 30 * DAY,
  strikeMemorySeconds: 30 * DAY,
  repeatStrikes: 3,
  corroboration: 1,
  corroborationWindowSeconds: DAY,
  feedsCorroborate: true,
  threshold: 1,
  halfLifeSeconds: DAY,
  jailWeights: {},
  defaultWeight: 1,
  // A server under the heaviest distributed attack bans some thousand addresses an hour.
  quota: { burst: 5_000, perMinute: 600 },
  widelySightedAgents: 3,
  retentionSeconds: 30 * DAY,
  // Open-ended is an operator's word: nothing of ours ends it unasked.
  pruneAfterSeconds: 0,
};

export function weightOf(jail: string, policy: Policy): number {
  return Object.hasOwn(policy.jailWeights, jail) ? (policy.jailWeights[jail] ?? 0) : policy.defaultWeight;
}
