/**
 * One list in a replica's memory: its head, the newest history, the kept snapshots, and deltas encoded once for
 * everybody. Every commit that it follows is proven by its digest.
 */
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import type { Digest } from "@fleetban/proto/model/digest";
import type { Epoch, List, Listing, Revision } from "@fleetban/proto/model/listing";
import { encodeDelta } from "@fleetban/proto/wire/delta";
import { chunkCount, chunksOf, type Snapshot } from "@fleetban/proto/wire/snapshot";
import type { ChunkSource, MirrorPosition, Outgoing, SnapshotReason } from "./ledger.ts";
import { Ring, type RingEntry, type Span } from "./ring.ts";

/** A list as it was at a revision that was marked kept, until its snapshot is stored. */
export interface ToKeep {
  readonly revision: Revision;
  readonly digest: Digest;
  readonly blocklist: Blocklist;
}

const DELTA_ALWAYS_BYTES = 65_536; // up to a chunk, a delta is never worth a snapshot
const KEPT_IN_MEMORY = 2;
const MADE_MAX = 64;

type Delta = Extract<Outgoing, { kind: "delta" }>;

export class ListState {
  /** Its reach may be changed by a policy; its number and name never. */
  list: List;
  readonly epoch: Epoch;
  readonly head: Blocklist;
  #revision: Revision;
  #committedAtMs: number;
  #ring: Ring;
  /** Oldest first. */
  #kept: Snapshot[];
  #toKeep: ToKeep | undefined;
  #made = new Map<string, Delta>();
  #chunks = new Map<string, Buffer>();

  /** `head` is the newest kept snapshot; the history since the oldest is pushed afterwards. */
  constructor(list: List, epoch: Epoch, head: Blocklist, kept: readonly [Snapshot, ...Snapshot[]]) {
    const newest = kept.at(-1) ?? kept[0];
    this.list = list;
    this.epoch = epoch;
    this.head = head;
    this.#kept = [...kept];
    this.#revision = newest.revision;
    this.#committedAtMs = 0;
    this.#ring = new Ring(kept[0]);
  }

  get revision(): Revision {
    return this.#revision;
  }

  get committedAtMs(): number {
    return this.#committedAtMs;
  }

  get newestKept(): Snapshot {
    return this.#kept.at(-1) as Snapshot;
  }

  get toKeep(): ToKeep | undefined {
    return this.#toKeep;
  }

  /** False = head and ledger differ, and this state is of no more use. */
  follow(entry: RingEntry): boolean {
    if (entry.revision <= this.#ring.newest) return true;
    this.#ring.push(entry);
    this.#committedAtMs = Math.max(this.#committedAtMs, entry.committedAtMs);
    if (entry.revision <= this.#revision) return true; // history that the snapshot has in it
    for (const { prefix, after } of entry.changes) {
      if (after === undefined) this.head.remove(prefix);
      else this.head.put(after);
    }
    this.#revision = entry.revision;
    if (this.head.digest !== entry.digest || this.head.size !== entry.listings) return false;
    if (entry.kept) this.#toKeep = { revision: entry.revision, digest: entry.digest, blocklist: this.head.clone() };
    return true;
  }

  noteCommitted(atMs: number): void {
    this.#committedAtMs = Math.max(this.#committedAtMs, atMs);
  }

  addKept(snapshot: Snapshot): void {
    if (snapshot.revision <= this.newestKept.revision) return;
    this.#kept = [...this.#kept, snapshot].slice(-KEPT_IN_MEMORY);
    if (this.#toKeep !== undefined && this.#toKeep.revision <= snapshot.revision) this.#toKeep = undefined;
    this.#ring.beginAt(this.#kept[0] as Snapshot);
    this.#made.clear();
    this.#chunks.clear();
  }

  /** PROTOCOL §5. */
  since(from: MirrorPosition | undefined): Outgoing {
    if (from === undefined || from.epoch !== this.epoch) return this.#snapshot("new", from);
    if (from.revision > this.#revision) return this.#snapshot("ahead", from);
    if (from.revision < this.#ring.start) return this.#snapshot("too old", from);
    if (this.#ring.digestAt(from.revision) !== from.digest) return this.#snapshot("differs", from);
    if (from.revision === this.#revision) return { kind: "nothing" };
    const delta = this.#delta(from.revision);
    // A snapshot that is not newer than the mirror saves nothing.
    const isShorter = this.newestKept.revision > from.revision;
    const limit = Math.max(DELTA_ALWAYS_BYTES, this.newestKept.body.length / 2);
    return isShorter && delta.bytes > limit ? this.#snapshot("larger than the list", from) : delta;
  }

  #delta(from: Revision): Delta {
    const span = this.#ring.spanAfter(from);
    if (span === undefined)
      throw new Error(`internal error: list ${this.list.list} has nothing after revision ${from}`);
    const key = `${from} ${span.last.revision}`;
    const delta = this.#made.get(key) ?? this.#encode(from, span);
    this.#made.delete(key); // the least recently used is first
    this.#made.set(key, delta);
    const [oldest] = this.#made.keys();
    if (this.#made.size > MADE_MAX && oldest !== undefined) this.#made.delete(oldest);
    return delta;
  }

  #encode(from: Revision, { last, changes, approved, reportWithinMs }: Span): Delta {
    const put = changes.map(({ after }) => after).filter((listing): listing is Listing => listing !== undefined);
    const remove = changes.filter(({ after }) => after === undefined).map(({ prefix }) => prefix);
    const columnsSha256 = this.#kept.find(({ revision }) => revision === last.revision)?.columnsSha256;
    const message = encodeDelta({
      list: this.list.list,
      epoch: this.epoch,
      fromRevision: from,
      toRevision: last.revision,
      digest: last.digest,
      listings: last.listings,
      committedAtMs: Math.round(last.committedAtMs),
      approved,
      reportWithinMs,
      remove,
      put,
      ...(columnsSha256 === undefined ? {} : { columnsSha256 }),
    });
    const to = { epoch: this.epoch, revision: last.revision, digest: last.digest };
    return { kind: "delta", message, toRevision: last.revision, to, bytes: message.length };
  }

  #snapshot(reason: SnapshotReason, from: MirrorPosition | undefined): Outgoing {
    const partial = from?.partial;
    const begun = this.#kept.find(
      ({ revision, sha256 }) => revision === partial?.revision && Buffer.compare(sha256, partial.sha256) === 0,
    );
    const snapshot = begun ?? this.newestKept;
    const first =
      begun === undefined || partial === undefined ? 0 : Math.min(partial.chunks, chunkCount(begun.body.length));
    const to = { epoch: this.epoch, revision: snapshot.revision, digest: snapshot.digest };
    return { kind: "snapshot", reason, chunks: this.#chunksFrom(snapshot, first), revision: snapshot.revision, to };
  }

  #chunksFrom(snapshot: Snapshot, first: number): ChunkSource {
    return {
      first,
      count: chunkCount(snapshot.body.length),
      message: (chunk) => {
        const key = `${snapshot.revision} ${chunk}`;
        const made = this.#chunks.get(key) ?? (chunksOf(snapshot, chunk).next().value as Buffer);
        this.#chunks.set(key, made);
        return made;
      },
    };
  }
}
