/**
 * What the agent reports of a list: the revision that is in the kernel, and the digest of what the kernel holds.
 *
 * The kernel's digest needs the set read back. A small set is read for every report, a large one at most once in a
 * while: reading 100,000 entries takes 60 ms. Where it differs it is told as it is, and once more when it is repaired.
 */
import type { Clock } from "@fleetban/kit/clock";
import { digestToBytes } from "@fleetban/proto/model/digest";
import { epochToBytes } from "@fleetban/proto/model/epoch";
import { type ListNo, listNo } from "@fleetban/proto/model/listing";
import { Applied } from "@fleetban/proto/wire/fleet";
import type { Firewall } from "./firewall/firewall.ts";

const SMALL_SET_ENTRIES = 5_000;
const LARGE_SET_EVERY_MS = 60_000;

export function createAppliedReport(
  firewall: Firewall,
  clock: Clock,
  onDiffered: (list: ListNo) => void,
): (list: number) => Promise<Applied | undefined> {
  const readAtMs = new Map<ListNo, number>();

  function isReadBackDue(list: ListNo, entries: number): boolean {
    if (entries <= SMALL_SET_ENTRIES) return true;
    const nowMs = clock.monotonicMs();
    if (nowMs - (readAtMs.get(list) ?? Number.NEGATIVE_INFINITY) < LARGE_SET_EVERY_MS) return false;
    readAtMs.set(list, nowMs);
    return true;
  }

  return async (number) => {
    const list = listNo(number);
    const before = firewall.applied(list);
    if (before === undefined) return undefined;
    const driftBefore = firewall.state().drift.entries;
    const digest = isReadBackDue(list, before.kernelEntries) ? await firewall.kernelDigest(list) : undefined;
    if (firewall.state().drift.entries > driftBefore) onDiffered(list);
    const { epoch, line, mirrorDigest, ...counts } = firewall.applied(list) ?? before; // with what reading found
    return Applied.fromPartial({
      ...counts,
      epoch: Buffer.from(epochToBytes(epoch)),
      kernelDigest: Buffer.from(digest === undefined ? [] : digestToBytes(digest)),
      mirrorDigest: Buffer.from(mirrorDigest === undefined ? [] : digestToBytes(mirrorDigest)),
      ...(line === undefined ? {} : { line: { ...line } }),
    });
  };
}
