import type { Prefix } from "@fleetban/proto/model/prefix";

/** A ban that may be imported. */
export interface Candidate {
  /** `FILE:LINE`, for people. */
  readonly place: string;
  readonly address: Prefix;
  readonly jail: string;
  /** Unix milliseconds; `undefined` = the file does not say. */
  readonly bannedAtMs: number | undefined;
  /** -1 = for ever, 0 = unknown. */
  readonly banSeconds: number;
  readonly failures: number;
  readonly banCount: number;
}

/** Why a line is not imported. */
export interface Problem {
  readonly place: string;
  readonly reason: string;
}
