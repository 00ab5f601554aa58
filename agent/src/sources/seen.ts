/** What a source says it has seen, before anybody asks whether it is known already. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Source } from "@fleetban/proto/model/sighting";
import type { SourcePosition } from "../spool/source-position.ts";

/** Times are of this machine's clock. */
export interface SeenBan {
  readonly kind: "ban" | "prolong" | "restored";
  readonly source: Source;
  readonly address: Prefix;
  readonly jail: string;
  /** `undefined` where the source does not say (a log's prolonged ban): that of the ban it belongs to. */
  readonly bannedAtMs: number | undefined;
  /** -1 = for ever, 0 = unknown. */
  readonly banSeconds: number;
  /** Where the source gives the ban's end and not its length. */
  readonly untilMs?: number;
  readonly failures: number;
  /** 0 = unknown. */
  readonly banCount: number;
  /** Of the jail; absent or empty = all, or the source does not say. */
  readonly protocol?: string;
  readonly ports?: string;
  /** What led to it, where the operator wants it told; cut to what the wire takes. */
  readonly evidence?: string;
  /** The source wrote this no later than. */
  readonly atMs: number;
}

/** A ban is over: by its time, or before it by somebody's hand. */
export interface SeenEnd {
  readonly kind: "end";
  readonly source: Source;
  readonly address: Prefix;
  readonly jail: string;
  /** Of the ban, as far as the source says. */
  readonly bannedAtMs: number | undefined;
  readonly banSeconds: number;
  readonly atMs: number;
  /**
   * `stopped`: fail2ban or its jail stops, the ban comes back with it; `asked`: by this agent itself; `gone`: fail2ban
   * does not hold it any more, nobody knows why. None of these is a pardon.
   */
  readonly cause: "time-or-hand" | "hand" | "stopped" | "asked" | "gone";
}

export type Seen =
  | SeenBan
  | SeenEnd
  /** The record names no address. */
  | { readonly kind: "junk"; readonly source: Source }
  /** Nothing to tell; the position counts. */
  | { readonly kind: "nothing" };

export interface SourceItem {
  readonly seen: Seen;
  /** Up to which the source is accounted for with this item; absent for a source that can't be read again. */
  readonly position: SourcePosition | undefined;
  /** Called when it is judged, before it is durable: whether it was news, and what it came to on this machine. */
  readonly onJudged?: (told: boolean, local: LocalResult | undefined) => void;
}

/** `undefined` in place of it = it concerns no kernel: over already, or an end. */
export type LocalResult = { readonly kind: "enforced" } | { readonly kind: "refused"; readonly reason: string };

export interface SightingSink {
  /** Resolves when all of it is durable. Rejects with SpoolError; then none of it counts, and it can be given again. */
  take(items: readonly SourceItem[]): Promise<void>;
}

export const JAIL_MAX = 64;

/** At most 64 UTF-16 units, as the ledger counts them; a character is not cut in two. */
export function jailName(text: string): string {
  return text.slice(0, JAIL_MAX).replace(/[\ud800-\udbff]$/, "");
}
