/** One ban event as an agent saw it. */
import type { Prefix } from "./prefix.ts";
import { sipHash128 } from "./siphash.ts";

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

/** One ban, whichever source saw it. */
export type BanAct = Pick<Sighting, "jail" | "address" | "bannedAtMs">;

const ACT_UNIT_MS = 2_000; // sources of one ban round its time differently, up to a second
const ACT_KEY = new Uint8Array(16); // names an act, guards nothing: no secret

/**
 * Names the act, 16 hexadecimal digits: equal for what names the same ban twice (re-read logs, restored bans, a
 * second source). The time counts in units, so whoever looks for an act looks at `neighbouringActs` too.
 */
export function actOf({ jail, address, bannedAtMs }: BanAct): string {
  return actOfUnit(jail, address, Math.floor(bannedAtMs / ACT_UNIT_MS));
}

/** The act of the unit of time before and of the one after. */
export function neighbouringActs({ jail, address, bannedAtMs }: BanAct): readonly [string, string] {
  const unit = Math.floor(bannedAtMs / ACT_UNIT_MS);
  return [actOfUnit(jail, address, unit - 1), actOfUnit(jail, address, unit + 1)];
}

function actOfUnit(jail: string, address: Prefix, unit: number): string {
  const named = Buffer.from(`${jail}\n${address}\n${unit}`); // address and unit have no line feed
  return Buffer.from(sipHash128(ACT_KEY, named).subarray(0, 8)).toString("hex");
}
