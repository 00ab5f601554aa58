/**
 * The lists that are enforced here, each with its pair of sets and how far it has come.
 *
 * A record only; what happens with it is in `load-list.ts` (whole lists) and `list-changes.ts` (deltas).
 */
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import type { List, ListNo, Revision } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { partsOf } from "@fleetban/proto/model/prefix";
import { textOfWords } from "@fleetban/proto/model/prefix-text";
import { widenedWords } from "@fleetban/proto/model/prefix-words";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import type { MirroredList } from "../mirror/held.ts";
import type { Mirror } from "../mirror/mirror.ts";
import { isTooWideToExempt } from "./brake.ts";
import { leaseOf } from "./leases.ts";
import type { KernelPair } from "./set-registry.ts";
import { isSupported } from "./supported.ts";
import type { EnforcedList } from "./wanted.ts";

export interface ListState {
  list: List;
  readonly pair: KernelPair;
  /** The blocklist whose removals the brake has judged; another one is not acted on yet. */
  judged: Blocklist | undefined;
  /** An exempt list: its entries have been in the kernel once, so deny lists may come. */
  isReady: boolean;
  /** Deltas whose changes are not all wished yet. */
  wishing: number;
  /** The newest that the lanes know of, and the newest that is wholly in the kernel. */
  knownRevision: Revision | undefined;
  enforcedRevision: Revision | undefined;
  /** Exempt listings too wide without an operator's approval. */
  readonly heldWide: Set<Prefix>;
}

export interface ListSets {
  get(list: ListNo): ListState | undefined;
  all(): readonly ListState[];
  add(state: ListState): void;
  remove(list: ListNo): void;
  /** As `wanted` needs it; undefined = nothing may be changed now. */
  enforced(list: ListNo): EnforcedList | undefined;
  /** The exempt listing in force around the prefix. */
  exemptCover(prefix: Prefix): Prefix | undefined;
  readonly approvedWide: Set<Prefix>;
  /** All lists with effect exempt are mirrored and in the kernel. */
  isExemptReady(): boolean;
}

export interface ListSetsParts {
  readonly mirror: Mirror;
  readonly ledgerNow: () => UnixSeconds;
  readonly fallbackLeaseSeconds: number;
}

export function createListSets({ mirror, ledgerNow, fallbackLeaseSeconds }: ListSetsParts): ListSets {
  const byNumber = new Map<ListNo, ListState>();
  const approvedWide = new Set<Prefix>();

  const exempting = () => [...byNumber.values()].filter(({ list }) => list.effect === "exempt");

  /** Asked for every entry of a list, one after the other: the last answer is kept while the mirror stays the same. */
  let last:
    | { readonly lists: readonly MirroredList[]; readonly list: ListNo; readonly enforced: EnforcedList }
    | undefined;

  function enforced(no: ListNo): EnforcedList | undefined {
    const mirrored = mirror.get(no);
    const state = byNumber.get(no);
    if (mirrored?.held === undefined || state?.judged !== mirrored.held.blocklist) return undefined;
    const lists = mirror.lists();
    if (last?.lists !== lists || last.list !== no) {
      const all = lists.map(({ list }) => list);
      const leaseSeconds = leaseOf(mirrored.list, all, fallbackLeaseSeconds);
      last = { lists, list: no, enforced: { list: mirrored.list, held: mirrored.held, leaseSeconds } };
    }
    return last.enforced;
  }

  function isInForce(state: ListState, prefix: Prefix): boolean {
    const listing = mirror.get(state.list.list)?.held?.blocklist.get(prefix);
    if (listing === undefined || isExpired(listing.until, ledgerNow())) return false;
    return !isTooWideToExempt(prefix) || approvedWide.has(prefix);
  }

  return {
    approvedWide,
    get: (list) => byNumber.get(list),
    all: () => [...byNumber.values()],
    add: (state) => void byNumber.set(state.list.list, state),
    remove: (list) => void byNumber.delete(list),
    enforced,
    exemptCover(prefix) {
      const blocklists = exempting().map(({ list }) => mirror.get(list.list)?.held?.blocklist);
      const parts = partsOf(prefix);
      for (let { length } = parts; length >= 0; length -= 1) {
        const words = widenedWords(parts, length);
        // Without a text for each length: this is asked for every ban.
        if (blocklists.every((blocklist) => blocklist?.untilOfWords(words) === undefined)) continue;
        const around = textOfWords(words) as Prefix;
        if (exempting().some((state) => isInForce(state, around))) return around;
      }
      return undefined;
    },
    isExemptReady() {
      const known = mirror.lists().filter(({ list }) => list.effect === "exempt" && isSupported(list));
      return known.length > 0 && known.every(({ list }) => byNumber.get(list.list)?.isReady === true);
    },
  };
}
