/** What status, readiness and metrics are told of the firewall: a picture of one moment. */
import type { ListNo, Revision } from "@fleetban/proto/model/listing";
import type { Backend } from "./backend.ts";
import type { Drift } from "./drift.ts";
import type { Line } from "./line.ts";
import type { KeptRuleState } from "./rule-keeper.ts";

export interface ListFirewallState {
  readonly list: ListNo;
  readonly name: string;
  readonly effect: "deny" | "exempt" | "unknown";
  /** Wholly in the kernel; absent = not yet. */
  readonly revision: Revision | undefined;
  readonly kernelEntries: number;
  /** Listings below the line. */
  readonly leftOut: number;
  /** Entries that the brake leaves to their leases. */
  readonly kept: number;
  /** Listings that are not enforced: refused by the kernel, protected, or too wide to exempt unapproved. */
  readonly refused: number;
  readonly line: Line | undefined;
  /** Last read back from the kernel, the ledger's clock; 0 = never. */
  readonly lastCheckedAtMs: number;
  /** Mirrored and not enforced: effect, reach or a required feature is unknown. */
  readonly unsupported: boolean;
  /** Taken from this agent; its last entries run out. */
  readonly withdrawn: boolean;
}

export interface FirewallState {
  readonly backend: Backend["name"];
  readonly via: string;
  readonly rules: KeptRuleState;
  readonly lists: readonly ListFirewallState[];
  readonly ownEntries: number;
  readonly localEntries: number;
  readonly batchEntries: number;
  readonly applyP50Us: number;
  readonly applyP99Us: number;
  readonly drift: Drift;
  /** Entries refused in all sets, and why the first of them. */
  readonly refusedEntries: number;
  /** Why the kernel can't be used now; absent = it can. */
  readonly failure: string | undefined;
  /** Unix milliseconds of this machine's clock; 0 = not in this run. */
  readonly bootFilesSavedAtMs: number;
}
