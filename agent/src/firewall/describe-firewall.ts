/** Pictures of the firewall for others: one list as it goes into Applied, and all of it for status and metrics. */
import type { Digest } from "@fleetban/proto/model/digest";
import type { Epoch, List, ListNo, Revision } from "@fleetban/proto/model/listing";
import type { Mirror } from "../mirror/mirror.ts";
import type { Backend } from "./backend.ts";
import type { Cut } from "./cut.ts";
import type { ListFirewallState } from "./firewall-state.ts";
import type { Line } from "./line.ts";
import type { ListSets } from "./list-sets.ts";
import { type KernelPair, setsOf } from "./set-registry.ts";
import { isSupported } from "./supported.ts";
import type { Withdrawals } from "./withdraw-list.ts";

/** What the coordinator is told of one list; `kernelDigest` is computed apart, where asked. */
export interface AppliedList {
  readonly list: ListNo;
  readonly epoch: Epoch;
  /** Wholly in the kernel; 0 = none yet. Of an unsupported list the one that is mirrored. */
  readonly revision: Revision;
  readonly kernelEntries: number;
  readonly leftOut: number;
  readonly kept: number;
  readonly refused: number;
  readonly line: Line | undefined;
  /** Undefined until the mirror's digest has been summed. */
  readonly mirrorDigest: Digest | undefined;
  readonly checkedAtMs: number;
  readonly unsupported: boolean;
}

export interface DescribeParts {
  readonly backend: Pick<Backend, "enforces">;
  readonly mirror: Mirror;
  readonly lists: ListSets;
  readonly cut: Cut;
  readonly withdrawals: Withdrawals;
}

export function appliedList(parts: DescribeParts, no: ListNo): AppliedList | undefined {
  const { list, held } = parts.mirror.get(no) ?? {};
  if (list === undefined || held === undefined) return undefined;
  const { lastCheckedAtMs: checkedAtMs, revision, ...counts } = describeList(parts, list);
  return {
    list: no,
    epoch: held.epoch,
    revision: revision ?? (0 as Revision),
    kernelEntries: counts.kernelEntries,
    leftOut: counts.leftOut,
    kept: counts.kept,
    refused: counts.refused,
    line: counts.line,
    mirrorDigest: held.isDigestProven ? held.blocklist.digest : undefined,
    checkedAtMs,
    unsupported: counts.unsupported,
  };
}

export function describeLists(parts: DescribeParts): readonly ListFirewallState[] {
  const mirrored = parts.mirror.lists().map(({ list }) => describeList(parts, list));
  const withdrawn = parts.withdrawals.all().map(({ list, pair }) => ({
    ...{ list: list.list, name: list.name, effect: list.effect, revision: undefined },
    ...{ leftOut: 0, refused: 0, line: undefined, unsupported: false, withdrawn: true },
    ...countsOf(pair),
  }));
  return [...mirrored, ...withdrawn];
}

function describeList({ backend, mirror, lists, cut }: DescribeParts, list: List): ListFirewallState {
  const state = lists.get(list.list);
  const unsupported = !isSupported(list, backend);
  const counts = state === undefined ? { kernelEntries: 0, kept: 0, lastCheckedAtMs: 0 } : countsOf(state.pair);
  const refused = state === undefined ? 0 : refusedIn(state.pair) + state.heldWide.size;
  return {
    ...{ list: list.list, name: list.name, effect: list.effect, unsupported, refused, ...counts },
    revision: unsupported ? mirror.get(list.list)?.held?.revision : state?.enforcedRevision,
    leftOut: cut.leftOut(list.list),
    line: list.effect === "deny" ? cut.line : undefined,
    withdrawn: false,
  };
}

function countsOf(pair: KernelPair) {
  const sets = setsOf(pair);
  return {
    kernelEntries: sets.reduce((sum, { entries }) => sum + entries.size, 0),
    kept: sets.reduce((sum, { entries }) => sum + entries.keptCount, 0),
    lastCheckedAtMs: Math.min(...sets.map(({ checkedAtMs }) => checkedAtMs)),
  };
}

export function refusedIn(pair: KernelPair): number {
  return setsOf(pair).reduce((sum, { refused }) => sum + refused.size, 0);
}
