/** Writes what fail2ban's action writes (deploy/fail2ban/action.d/fleetban.conf), without a fail2ban. */
import { appendFile } from "node:fs/promises";

export interface HandedBan {
  readonly address: string;
  readonly jail?: string;
  /** Unix seconds. */
  readonly at?: number;
  readonly banSeconds?: number;
  readonly failures?: number;
  readonly kind?: "ban" | "prolong" | "unban";
  readonly isRestored?: boolean;
}

export function banRecord({ address, jail = "sshd", kind = "ban", ...ban }: HandedBan): string {
  const { at = Date.now() / 1_000, banSeconds = 600, failures = 3, isRestored = false } = ban;
  const family = address.includes(":") ? "inet6" : "inet4";
  const facts = [address, address, family, at, banSeconds, failures, 1, isRestored ? 1 : 0];
  return ["FLEETBAN1", kind, jail, ...facts, "END"].map((field) => `${field}\0`).join("");
}

/** One append a record, as the action does it. */
export async function handOver(handoff: string, ...bans: readonly HandedBan[]): Promise<void> {
  for (const ban of bans) await appendFile(handoff, banRecord(ban));
}
