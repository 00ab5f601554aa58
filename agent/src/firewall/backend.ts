/**
 * What the firewall asks of a kernel, or of what stands in for one: sets with timeouts, and rules over them.
 *
 * A backend carries out and answers; it has no policy. What it is asked for is whole (the rules) or may be repeated
 * (an add renews, a remove of nothing is fine), so that whoever is in doubt just asks again. A refused op is named, never
 * lost in a batch (invariant 3).
 */
import type { Reach } from "@fleetban/proto/model/listing";
import type { Family, Prefix } from "@fleetban/proto/model/prefix";
import type { PrefixColumns } from "@fleetban/proto/model/sorted-columns";

/** `fleetban-<list name>-v4`, `fleetban-own-v6`, …; at most 29 characters, "-n" behind it = the replacement being filled. */
export type SetName = string;

export interface SetSpec {
  readonly name: SetName;
  readonly family: Family;
  readonly maxEntries: number;
}

/** `timeoutSeconds` 0 = none. */
export type Op =
  | { readonly kind: "add"; readonly set: SetName; readonly prefix: Prefix; readonly timeoutSeconds: number }
  | { readonly kind: "remove"; readonly set: SetName; readonly prefix: Prefix };

/** Adds to one set, one a row: a bulk load without a text and an object an entry. */
export interface AddRun {
  readonly set: SetName;
  readonly columns: PrefixColumns;
  /** 0 = none. */
  readonly timeouts: Uint32Array;
}

export interface RowRefusal {
  readonly row: number;
  readonly code: RefusalCode;
  readonly detail: string;
}

export type RefusalCode = "set-full" | "set-missing" | "no-permission" | "kernel-refused";

export interface Refusal {
  readonly op: Op;
  readonly code: RefusalCode;
  readonly detail: string;
}

export interface SetHeader {
  readonly name: SetName;
  readonly family: Family;
  readonly maxEntries: number;
  /** Undefined: many, and to count them takes long. */
  readonly entries: number | undefined;
  /** How often rules name the set; 0 = none does. */
  readonly references: number;
}

/**
 * `timeoutSeconds` is what is left; 0 = none. What it has matched since it was added; adding it anew does not begin at 0
 * again. Both 0 where the backend does not count.
 */
export interface KernelEntry {
  readonly prefix: Prefix;
  readonly timeoutSeconds: number;
  readonly packets: number;
  readonly bytes: number;
}

/** What happens to a packet of a listed source; a rejected one is answered (tcp-reset, else port unreachable). */
export type Verdict = "drop" | "reject";

/** Source in `deny`, and in none of `except`: the verdict. */
export interface DenyRule {
  readonly deny: Readonly<Record<Family, SetName>>;
  readonly except: readonly Readonly<Record<Family, SetName>>[];
  readonly reach: Reach;
  readonly verdict: Verdict;
}

export type RuleState = { readonly kind: "present" } | { readonly kind: "missing"; readonly what: string };

export interface Backend {
  readonly name: "ipset" | "nftables" | "blackhole" | "dry-run";
  /** "netlink", "process" or "memory". */
  readonly via: string;
  /** Absent = every reach that is known. */
  enforces?(reach: Reach): boolean;
  createSet(spec: SetSpec): Promise<"created" | "exists">;
  /** Atomic for packets. */
  swapSets(a: SetName, b: SetName): Promise<void>;
  /** Absent is fine. */
  destroySet(name: SetName): Promise<void>;
  /** In order. An add of a present entry renews its timeout; removing an absent one is fine; a refused op is named and the rest applied. */
  apply(ops: readonly Op[]): Promise<readonly Refusal[]>;
  /** As `apply` of an add a row. Absent: the backend takes ops only. */
  addRun?(run: AddRun): Promise<readonly RowRefusal[]>;
  /** Only sets named `fleetban-*`. */
  headers(): Promise<readonly SetHeader[]>;
  /** In pieces; an entry that changes meanwhile may show twice or not at all. */
  readSet(name: SetName): AsyncIterable<readonly KernelEntry[]>;
  /** Those of the prefixes that are in the set, as `readSet`. Absent: to read the whole set is no dearer. */
  readEntries?(name: SetName, prefixes: PrefixColumns): AsyncIterable<readonly KernelEntry[]>;
  /** Whether a packet from there matches: by the longest prefix in the set. */
  testEntry(set: SetName, prefix: Prefix): Promise<boolean>;
  /** The whole wanted state, in order, for both families. There is no moment without a rule that stays. */
  ensureRules(rules: readonly DenyRule[]): Promise<void>;
  ruleState(rules: readonly DenyRule[]): Promise<RuleState>;
  /** Calls back soon after somebody changed rules. May be silent where the kernel notifies nobody: checks go on beside it. */
  watchRules(onChange: () => void): { close(): void };
  /** Removes every set, chain and rule that is ours, and says what. */
  uninstall(): Promise<readonly string[]>;
  close(): Promise<void>;
}
