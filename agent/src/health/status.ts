/**
 * The agent's state as one document: what `/status` answers, `fleetban-agent status` shows, `check` judges.
 *
 * Pure: everything in it is handed in by the rooms' own state functions.
 */
import type { LinkState } from "../link/state.ts";
import { type RaisedWarnable, WARNABLES } from "./warnables.ts";

export interface ListStatus {
  readonly name: string;
  readonly effect: string;
  /** What the mirror holds; 0 = nothing yet. */
  readonly revision: number;
  /** What is wholly in the kernel; 0 = nothing yet. */
  readonly enforcedRevision: number;
  /** Of the mirror, hexadecimal; empty = no mirror. */
  readonly digest: string;
  readonly listings: number;
  readonly kernelEntries: number;
  readonly leftOut: number;
  readonly kept: number;
  readonly refused: number;
  readonly unsupported: boolean;
  /** Last read back from the kernel, Unix milliseconds; 0 = never. */
  readonly checkedAtMs: number;
}

export interface FirewallStatus {
  readonly backend: string;
  /** How it talks to the kernel: `netlink`, `process`, `memory`. */
  readonly via: string;
  readonly rules: string;
  readonly ownEntries: number;
  readonly localEntries: number;
  readonly batchEntries: number;
  readonly applyP99Us: number;
  /** Found different and repaired since the start: entries, whole sets, rules. */
  readonly driftEntries: number;
  readonly driftSets: number;
  readonly driftRules: number;
}

export interface SpoolStatus {
  readonly sightings: number;
  /** Of the oldest unacknowledged one; 0 = none. */
  readonly oldestMs: number;
  readonly lost: number;
}

/** What the kernel dropped since the start, as far as its sets were read. */
export interface HitsStatus {
  /** The backend counts packets. */
  readonly isCounting: boolean;
  /** By name of the list; `local` = this server's own bans. */
  readonly byList: Readonly<Record<string, { readonly packets: number; readonly bytes: number }>>;
}

export type EnforcingStatus =
  /** As agent.yaml says. */
  | { readonly kind: "configured" }
  /** Undone at its end unless confirmed. */
  | { readonly kind: "trial"; readonly endsAtMs: number }
  | { readonly kind: "ended"; readonly because: string }
  | { readonly kind: "confirmed"; readonly atMs: number };

export interface AgentStatus {
  readonly version: string;
  readonly name: string;
  readonly agentId: string | undefined;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly link: LinkState;
  /** This machine's clock minus the ledger's. */
  readonly clockSkewMs: number | undefined;
  readonly certificateEndsAtMs: number | undefined;
  /** Addresses among the own ones from which somebody is logged in by SSH, or was within the hour. */
  readonly protectedSessions: number;
  readonly enforcing: EnforcingStatus;
  readonly lists: readonly ListStatus[];
  readonly firewall: FirewallStatus;
  readonly spool: SpoolStatus;
  readonly hits: HitsStatus;
  readonly sightingsBySource: Readonly<Record<string, number>>;
  readonly warnables: readonly RaisedWarnable[];
}

/** Undefined = ready; else the codes that stand against it. */
export function notReadyBecause({ warnables }: Pick<AgentStatus, "warnables">): readonly string[] | undefined {
  const blocking = warnables.filter(({ code }) => WARNABLES[code].blocksReady).map(({ code }) => code);
  return blocking.length > 0 ? blocking : undefined;
}
