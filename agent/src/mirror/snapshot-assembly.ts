/**
 * Gathers a snapshot's chunks, list by list, and unpacks it when the last is there.
 *
 * What was gathered outlives the stream, so that a snapshot that broke off is resumed at its chunk (`partial`). Of a
 * list only the newest snapshot is gathered. Nothing of it reaches the mirror before its SHA-256 has proven the whole.
 */
import { FleetbanError } from "@fleetban/kit/errors";
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import type { DigestKey } from "@fleetban/proto/model/digest";
import type { Epoch, ListNo, Revision } from "@fleetban/proto/model/listing";
import type { ExpectedSnapshot, ReceivedChunk } from "@fleetban/proto/wire/snapshot";

/** `decodeSnapshotBody` of the wire. */
export type DecodeSnapshot = (body: Uint8Array, expected: ExpectedSnapshot) => Promise<Blocklist>;

export interface AssembledSnapshot {
  readonly list: ListNo;
  readonly epoch: Epoch;
  readonly revision: Revision;
  readonly approved: boolean;
  readonly blocklist: Blocklist;
}

export type Assembly =
  | { readonly kind: "more" }
  | { readonly kind: "complete"; readonly snapshot: AssembledSnapshot }
  /** `code` is for programs. */
  | { readonly kind: "differs"; readonly reason: string; readonly code: string };

export interface PartialSnapshot {
  readonly revision: Revision;
  readonly sha256: Uint8Array;
  /** There from 0 on without gap. */
  readonly chunks: number;
}

export interface SnapshotAssembly {
  add(chunk: ReceivedChunk, key: DigestKey): Promise<Assembly>;
  partial(list: ListNo): PartialSnapshot | undefined;
  forget(list: ListNo): void;
}

interface Gathering {
  readonly first: ReceivedChunk;
  readonly bodies: Uint8Array[];
}

const MORE: Assembly = { kind: "more" };

export function createSnapshotAssembly(decode: DecodeSnapshot): SnapshotAssembly {
  const gatheringByList = new Map<ListNo, Gathering>();

  function gather(chunk: ReceivedChunk): Gathering | undefined {
    const present = gatheringByList.get(chunk.list);
    if (present !== undefined && isSameSnapshot(present.first, chunk)) return present;
    if (chunk.chunk !== 0) return undefined;
    const gathering = { first: chunk, bodies: [] };
    gatheringByList.set(chunk.list, gathering);
    return gathering;
  }

  async function unpack({ first, bodies }: Gathering, key: DigestKey): Promise<Assembly> {
    const { list, epoch, revision, approved, sha256, columnsSha256, listings, digest } = first;
    gatheringByList.delete(list);
    try {
      const blocklist = await decode(Buffer.concat(bodies), {
        ...{ list, key, sha256, columnsSha256, listings, digest },
      });
      return { kind: "complete", snapshot: { list, epoch, revision, approved, blocklist } };
    } catch (error) {
      // Whatever damaged it, the coordinator is asked for another.
      const code = error instanceof FleetbanError ? error.code : "bad-wire";
      return { kind: "differs", reason: error instanceof Error ? error.message : String(error), code };
    }
  }

  return {
    async add(chunk, key) {
      const gathering = gather(chunk);
      const expected = gathering?.bodies.length ?? 0;
      if (gathering === undefined || chunk.chunk > expected) {
        return { kind: "differs", reason: `chunk ${chunk.chunk} where ${expected} was due`, code: "chunk-missing" };
      }
      if (chunk.chunk === expected) gathering.bodies.push(chunk.body); // an earlier one was sent twice
      return gathering.bodies.length < chunk.chunks ? MORE : await unpack(gathering, key);
    },
    partial(list) {
      const gathering = gatheringByList.get(list);
      if (gathering === undefined) return undefined;
      const { revision, sha256 } = gathering.first;
      return { revision, sha256, chunks: gathering.bodies.length };
    },
    forget: (list) => void gatheringByList.delete(list),
  };
}

function isSameSnapshot(one: ReceivedChunk, other: ReceivedChunk): boolean {
  return (
    one.epoch === other.epoch &&
    one.revision === other.revision &&
    one.bodyBytes === other.bodyBytes &&
    one.listings === other.listings &&
    Buffer.compare(one.sha256, other.sha256) === 0
  );
}
