/** One ban event as an agent saw it. */
import type { Prefix } from "./prefix.ts";

/** `prolong`: the ban's real, longer time became known; `restored`: in force again after a restart, no new strike. */
export type SightingKind = "ban" | "prolong" | "restored" | "unban-by-hand";
export type Source = "fail2ban" | "log" | "socket" | "import";

/** Times are of the agent's clock. */
export interface Sighting {
  /** One address; wider is stored by the ledger and refused. */
  readonly address: Prefix;
  readonly kind: SightingKind;
  readonly source: Source;
  /** At most 64 characters. */
  readonly jail: string;
  readonly protocol: string;
  /** As the jail has them; empty = all or unknown. */
  readonly ports: string;
  readonly failures: number;
  readonly bannedAtMs: number;
  /** -1 = for ever, 0 = unknown. */
  readonly banSeconds: number;
  /** How often the source has banned it, this time included; 0 = unknown. */
  readonly banCount: number;
  /** When it was spooled. */
  readonly recordedAtMs: number;
  /** See `actOf`. */
  readonly act: string;
  /** At most 1024 bytes, and only where the operator opted in. */
  readonly evidence: Uint8Array;
}
