/**
 * What the link brings goes into the mirror, onto the disk and into the kernel, in that order and one at a time.
 *
 * A delta that does not prove itself changes nothing and is answered by asking anew (invariant 2); the disk runs
 * behind; the firewall decides what of it is urgent.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { finishInTurns } from "@fleetban/kit/slices";
import { createBackgroundTurns } from "@fleetban/kit/turns";
import { type DigestKey, parseDigestKey } from "@fleetban/proto/model/digest";
import { type ListNo, listNo } from "@fleetban/proto/model/listing";
import { changesIn, deltaInSlices } from "@fleetban/proto/wire/delta";
import { type List as ListMessage, listFromWire, type Welcome } from "@fleetban/proto/wire/fleet";
import { chunkFromMessage, decodeSnapshotBody } from "@fleetban/proto/wire/snapshot";
import { WireError } from "@fleetban/proto/wire/wire-error";
import type { Firewall } from "./firewall/firewall.ts";
import type { ChunkOutcome, DeltaOutcome, LinkLists } from "./link/lists.ts";
import type { MirrorChange } from "./mirror/held.ts";
import { turnsForDelta } from "./mirror/long-delta.ts";
import type { Mirror } from "./mirror/mirror.ts";
import type { MirrorFile } from "./mirror/mirror-file.ts";
import { type AssembledSnapshot, createSnapshotAssembly, type SnapshotAssembly } from "./mirror/snapshot-assembly.ts";

/**
 * Of one list. While a list takes another's place a listing weighs some 90 bytes, an IPv6 one twice that: so many fit into
 * what the unit gives (MemoryHigh of fleetban-agent.service), beside the 75 MB of the program.
 */
export const MAX_MIRRORED_LISTINGS = 4_194_304;
/** A list that was larger is asked for again so seldom: its snapshot comes whole each time. */
const TOO_LARGE_FOR_MS = 3_600_000;

export interface EnforcementParts {
  readonly mirror: Mirror;
  readonly file: MirrorFile;
  readonly firewall: Firewall;
  readonly clock: Clock;
  readonly log: Log;
  /** After a change of an exempt list: pardons may have to be carried into the sources. */
  readonly onExemptChanged: (changes: readonly MirrorChange[] | "all") => void;
  readonly onDiffers: (list: ListNo, reason: string) => void;
}

export interface Enforcement extends LinkLists {
  /** Lists whose snapshot is being gathered. */
  readonly assembly: SnapshotAssembly;
  /** A list that differed is asked for anew: without a position. */
  isDistrusted(list: ListNo): boolean;
}

export function createEnforcement(parts: EnforcementParts): Enforcement {
  const { mirror, file, firewall, log } = parts;
  const assembly = createSnapshotAssembly((body, expected) =>
    decodeSnapshotBody(body, expected, createBackgroundTurns(parts.clock)),
  );
  const distrusted = new Set<ListNo>();
  /** When each was found too large. */
  const tooLargeAtMs = new Map<ListNo, number>();
  let key: DigestKey | undefined;

  function differs(list: ListNo, reason: string, code = "mirror-differs"): { kind: "differs"; reason: string } {
    log.warn("mirror.differed", { list, code, reason });
    distrusted.add(list);
    assembly.forget(list);
    parts.onDiffers(list, reason);
    return { kind: "differs", reason };
  }

  function isPassedOver(list: ListNo): boolean {
    const foundAtMs = tooLargeAtMs.get(list);
    return foundAtMs !== undefined && parts.clock.monotonicMs() < foundAtMs + TOO_LARGE_FOR_MS;
  }

  /** Not a reason to begin a stream anew, which would send it again and hold up fresh bans on the others. */
  function passOver(list: ListNo, listings: number): { kind: "passed-over" } {
    if (!isPassedOver(list)) {
      differs(list, `${listings} listings are more than ${MAX_MIRRORED_LISTINGS}`, "snapshot-too-large");
      tooLargeAtMs.set(list, parts.clock.monotonicMs());
    }
    return { kind: "passed-over" };
  }

  async function setLists(messages: readonly ListMessage[]): Promise<void> {
    const lists = messages.map(listFromWire);
    mirror.setLists(lists);
    for (const list of lists) file.recordList(list);
    await firewall.onLists();
  }

  async function replace({ list, epoch, revision, approved, blocklist }: AssembledSnapshot): Promise<void> {
    const held = { blocklist, epoch, revision, committedAtMs: 0, isDigestProven: false };
    const replaced = mirror.replace(list, held);
    distrusted.delete(list);
    tooLargeAtMs.delete(list);
    file.save(list);
    log.info("mirror.replaced", { list, revision, listings: blocklist.size, isNewEpoch: replaced.isNewEpoch });
    await firewall.onSnapshot(list, replaced, approved);
    if (mirror.get(list)?.list.effect === "exempt") parts.onExemptChanged("all");
    void proveLater(list);
  }

  /** Owned by the process; what it finds wrong is asked for anew at the next delta or start. */
  async function proveLater(list: ListNo): Promise<void> {
    if (!(await mirror.proveDigest(list))) differs(list, "the digest of a snapshot that its SHA-256 had proven");
  }

  return {
    assembly,
    isDistrusted: (list) => distrusted.has(list),
    async welcomed(welcome: Welcome) {
      key = parseDigestKey(welcome.digestKey);
      await setLists(welcome.lists);
    },
    lists: setLists,
    async delta(message): Promise<DeltaOutcome> {
      const list = listNo(message.list);
      if (isPassedOver(list)) return { kind: "passed-over" };
      if (distrusted.has(list)) return differs(list, "an earlier snapshot");
      const turns = turnsForDelta(parts.clock, changesIn(message));
      const delta = await readOr(() => finishInTurns(deltaInSlices(message), turns));
      if (delta instanceof WireError) return differs(list, delta.message);
      const outcome = await mirror.applyDelta(delta);
      if (outcome.kind === "mismatch") return differs(list, outcome.reason);
      firewall.onDelta(list, outcome.changes, delta.approved);
      file.recordDelta(delta);
      if (mirror.get(list)?.list.effect === "exempt") parts.onExemptChanged(outcome.changes);
      return { kind: "applied" };
    },
    async snapshotChunk(message): Promise<ChunkOutcome> {
      const list = listNo(message.list);
      const chunk = await readOr(async () => chunkFromMessage(message));
      if (chunk instanceof WireError) return differs(list, chunk.message);
      if (chunk.listings > MAX_MIRRORED_LISTINGS) return passOver(list, chunk.listings);
      if (key === undefined || mirror.get(list) === undefined) return differs(list, "a snapshot of an unknown list");
      const assembled = await assembly.add(chunk, key);
      if (assembled.kind === "differs") return differs(list, assembled.reason, assembled.code);
      if (assembled.kind === "complete") await replace(assembled.snapshot);
      return { kind: assembled.kind };
    },
    async removed(number, approved) {
      const list = listNo(number);
      const removed = mirror.removeList(list);
      tooLargeAtMs.delete(list);
      file.remove(list);
      if (removed !== undefined) await firewall.onRemoved(removed, approved);
    },
  };
}

async function readOr<T>(read: () => Promise<T>): Promise<T | WireError> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}
