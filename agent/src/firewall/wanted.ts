/**
 * What the newest truth wants of one entry, asked when it is taken from its lane: `wanted` of PROTOCOL §6.
 *
 * From mirror and line for a list's sets; what the machine itself wants for `own` and `local`. Nothing is ever wanted
 * gone because a clock says so: an expired listing leaves its entry to the timeout.
 */
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import type { List, ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { isDocumentation, specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import type { Held } from "../mirror/held.ts";
import { isTooWideToDeny, isTooWideToExempt } from "./brake.ts";
import type { Cut } from "./cut.ts";
import type { KernelSet } from "./kernel-set.ts";
import { timeoutFor } from "./leases.ts";

export type Wanted =
  | { readonly kind: "leave" }
  | { readonly kind: "absent" }
  /** 0 = without timeout. What is not a lease is written whenever it differs: nobody looks after it again. */
  | { readonly kind: "present"; readonly seconds: number; readonly isLease: boolean };

/** A list whose effect and reach are understood, as it is mirrored now. */
export interface EnforcedList {
  readonly list: List;
  readonly held: Held;
  readonly leaseSeconds: number;
}

export interface WantedParts {
  readonly enforced: (list: ListNo) => EnforcedList | undefined;
  readonly ledgerNow: () => UnixSeconds;
  readonly cut: Pick<Cut, "isAbove" | "line">;
  readonly isApprovedWide: (prefix: Prefix) => boolean;
  readonly isOwn: (prefix: Prefix) => boolean;
  /** What is left of a local entry; 0 or less = over. */
  readonly localSecondsLeft: (prefix: Prefix) => number;
}

/** What is the same for all listings of a list: each is wanted until it ends, at most for a lease. */
export interface PlainList {
  readonly blocklist: Blocklist;
  readonly now: UnixSeconds;
  readonly leaseSeconds: number;
}

/** Undefined: what is wanted has to be asked entry by entry. */
export type AskPlainList = (set: KernelSet) => PlainList | undefined;

export type AskWanted = (set: KernelSet, prefix: Prefix) => Wanted;

const LEAVE: Wanted = { kind: "leave" };
const ABSENT: Wanted = { kind: "absent" };
const FOR_GOOD: Wanted = { kind: "present", seconds: 0, isLease: false };

export function createWanted(parts: WantedParts): AskWanted {
  return (set, prefix) => {
    switch (set.owner.kind) {
      case "own":
        return parts.isOwn(prefix) ? FOR_GOOD : ABSENT;
      case "local": {
        const seconds = parts.localSecondsLeft(prefix);
        return seconds > 0 ? { kind: "present", seconds: Math.max(1, Math.floor(seconds)), isLease: false } : ABSENT;
      }
      case "list":
        return wantedOnList(parts, set, set.owner.list, prefix);
      case "withdrawn":
        return LEAVE;
      case "probe":
        return ABSENT;
    }
  };
}

export function plainListOf(
  parts: Pick<WantedParts, "enforced" | "ledgerNow" | "cut">,
  set: KernelSet,
): PlainList | undefined {
  const enforced = set.owner.kind === "list" ? parts.enforced(set.owner.list) : undefined;
  if (enforced === undefined || enforced.list.effect !== "deny" || enforced.list.documentationOnly) return undefined;
  if (parts.cut.line !== undefined) return undefined;
  return { blocklist: enforced.held.blocklist, now: parts.ledgerNow(), leaseSeconds: enforced.leaseSeconds };
}

/** The agent's own check before it touches the kernel (invariant 5): what no list may ban or exempt here. */
export function protectedReason({ effect, documentationOnly }: List, prefix: Prefix): string | undefined {
  if (documentationOnly) return isDocumentation(prefix) ? undefined : "outside the documentation ranges";
  if (effect !== "deny") return undefined;
  return isTooWideToDeny(prefix) ? "wider than any list may ban" : specialPurposeOf(prefix)?.name;
}

function wantedOnList(parts: WantedParts, set: KernelSet, no: ListNo, prefix: Prefix): Wanted {
  const enforced = parts.enforced(no);
  if (enforced === undefined) return LEAVE; // no mirror is not an empty one
  const { list, held, leaseSeconds } = enforced;
  const listing = held.blocklist.get(prefix);
  if (listing === undefined) return set.entries.isKept(prefix) ? LEAVE : ABSENT;
  const now = parts.ledgerNow();
  if (isExpired(listing.until, now)) return LEAVE;
  const isIn = list.effect === "exempt" ? isExemptable(parts, prefix) : parts.cut.isAbove(no, listing);
  return isIn ? { kind: "present", seconds: timeoutFor(listing.until, now, leaseSeconds), isLease: true } : ABSENT;
}

function isExemptable(parts: WantedParts, prefix: Prefix): boolean {
  return !isTooWideToExempt(prefix) || parts.isApprovedWide(prefix);
}
