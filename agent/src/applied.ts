/**
 * What the agent reports of a list: the revision that is in the kernel, and the digest of what the kernel holds.
 *
 * The kernel's digest needs the set read back, which takes a hundredth of the time at most: a small set is read for every
 * report, one of 100,000 entries each six seconds, on a slow machine each minute. A report without it is followed by one
 * with it. Where it differs it is told as it is, and once more when it is repaired.
 */
import type { Clock } from "@fleetban/kit/clock";
import { type Digest, digestToBytes } from "@fleetban/proto/model/digest";
import { epochToBytes } from "@fleetban/proto/model/epoch";
import { type ListNo, listNo } from "@fleetban/proto/model/listing";
import { Applied } from "@fleetban/proto/wire/fleet";
import type { Firewall } from "./firewall/firewall.ts";

/** To how long the last reading took. */
const PAUSE_RATIO = 100;
const LONGEST_PAUSE_MS = 60_000;
const REPAIRED_AFTER_MS = 1_000;

/** `again`: the list is worth another report after that time. */
export function createAppliedReport(
  firewall: Firewall,
  clock: Clock,
  again: (list: ListNo, afterMs: number) => void,
): (list: number) => Promise<Applied | undefined> {
  const dueAtMs = new Map<ListNo, number>();

  async function readBackIfDue(list: ListNo): Promise<Digest | undefined> {
    const begunMs = clock.monotonicMs();
    const waitMs = (dueAtMs.get(list) ?? begunMs) - begunMs;
    if (waitMs > 0) {
      again(list, waitMs);
      return undefined;
    }
    const digest = await firewall.kernelDigest(list);
    const endedMs = clock.monotonicMs();
    dueAtMs.set(list, endedMs + Math.min((endedMs - begunMs) * PAUSE_RATIO, LONGEST_PAUSE_MS));
    return digest;
  }

  return async (number) => {
    const list = listNo(number);
    const before = firewall.applied(list);
    if (before === undefined) return undefined;
    const driftBefore = firewall.state().drift.entries;
    const digest = await readBackIfDue(list);
    if (firewall.state().drift.entries > driftBefore) {
      dueAtMs.delete(list);
      again(list, REPAIRED_AFTER_MS);
    }
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
