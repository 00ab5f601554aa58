/**
 * What goes down one agent's stream, and in which order: answers, then deltas (exempt first), then snapshot chunks.
 *
 * Nothing waits here but positions. A delta is asked of the ledger in the moment it can be written, so that a stream
 * that was full gets one collapsed delta, however much happened meanwhile (memory a stream stays bounded). At most two
 * snapshot chunks are on their way unacknowledged, and deltas go between them (invariant 7).
 */
import type { List, ListNo } from "@fleetban/proto/model/listing";
import type { ChunkReceived, CoordinatorMessage } from "@fleetban/proto/wire/fleet";
import type { ChunkSource, Ledger, MirrorPosition, SnapshotReason } from "../ledger/ledger.ts";
import { violation } from "./errors.ts";

export interface OutboxParts {
  readonly ledger: Pick<Ledger, "deltaSince">;
  /** False = full; `drained` is called when it takes more. */
  readonly write: (message: CoordinatorMessage | Buffer) => boolean;
  readonly onSnapshot: (list: ListNo, reason: SnapshotReason) => void;
  readonly onDelta: (bytes: number) => void;
}

interface Transfer {
  readonly chunks: ChunkSource;
  readonly to: MirrorPosition;
  next: number;
}

interface ListProgress {
  readonly list: List;
  position: MirrorPosition | undefined;
  isBehind: boolean;
  transfer: Transfer | undefined;
}

interface SentChunk {
  readonly list: ListNo;
  readonly revision: number;
  readonly chunk: number;
}

interface Answer {
  readonly incarnation: Buffer;
  seq: number;
  overQuota: number;
  refused: number;
}

const WINDOW_CHUNKS = 2; // 128 kB: HTTP/2 would swallow a megabyte, 8 s of a 1 Mbit/s link
const MAX_WAITING = 64;

export class Outbox {
  readonly #parts: OutboxParts;
  readonly #features: readonly number[];
  readonly #progress = new Map<ListNo, ListProgress>();
  readonly #answers = new Map<string, Answer>();
  readonly #waiting: CoordinatorMessage[] = [];
  readonly #sent: SentChunk[] = [];
  #isFull = false;
  #isPumping = false;
  #isClosed = false;

  constructor(parts: OutboxParts, features: readonly number[]) {
    this.#parts = parts;
    this.#features = features;
  }

  /** In the order in which lists are to be brought up to date. */
  open(lists: readonly List[], positions: ReadonlyMap<ListNo, MirrorPosition>): void {
    for (const list of lists) {
      const position = positions.get(list.list);
      this.#progress.set(list.list, { list, position, isBehind: true, transfer: undefined });
    }
    this.#pump();
  }

  /** Others than before: what is new is begun from nothing, what is gone is written no more. */
  change(lists: readonly List[]): void {
    const wanted = new Map(lists.map((list) => [list.list, list]));
    for (const list of this.#progress.keys()) if (!wanted.has(list)) this.#progress.delete(list);
    this.open(
      lists.filter(({ list }) => !this.#progress.has(list)),
      new Map(),
    );
  }

  /** The lists have moved in the ledger. */
  wake(lists: Iterable<ListNo>): void {
    for (const list of lists) {
      const progress = this.#progress.get(list);
      if (progress !== undefined) progress.isBehind = true;
    }
    this.#pump();
  }

  /** False = too much waits already, the message is dropped. */
  send(message: CoordinatorMessage): boolean {
    if (this.#waiting.length >= MAX_WAITING) return false;
    this.#waiting.push(message);
    this.#pump();
    return true;
  }

  /** Answers of one commit are merged: one Ack an incarnation. Sent by `flush`. */
  acknowledge(incarnation: Buffer, seq: number, counts: { overQuota: number; refused: number }): void {
    const key = incarnation.toString("hex");
    if (this.#answers.size >= MAX_WAITING && !this.#answers.has(key)) {
      throw violation(`sightings of more than ${MAX_WAITING} spools, and their acknowledgements are not read`);
    }
    const answer = this.#answers.get(key) ?? { incarnation, seq: 0, overQuota: 0, refused: 0 };
    answer.seq = Math.max(answer.seq, seq);
    answer.overQuota += counts.overQuota;
    answer.refused += counts.refused;
    this.#answers.set(key, answer);
  }

  flush(): void {
    this.#pump();
  }

  chunkReceived({ list, revision, chunk }: ChunkReceived): void {
    const oldest = this.#sent.shift();
    if (oldest === undefined || oldest.list !== list || oldest.revision !== revision || oldest.chunk !== chunk) {
      throw violation(`chunk ${chunk} of list ${list} at revision ${revision} is acknowledged and was not sent`);
    }
    this.#pump();
  }

  drained(): void {
    this.#isFull = false;
    this.#pump();
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Nothing is written any more. */
  close(): void {
    this.#isClosed = true;
  }

  #pump(): void {
    if (this.#isPumping) return; // a write may call back
    this.#isPumping = true;
    try {
      while (!this.#isFull && !this.#isClosed) {
        if (!this.#writeNext()) break;
      }
    } finally {
      this.#isPumping = false;
    }
  }

  /** False = there is nothing to write now. */
  #writeNext(): boolean {
    const message = this.#waiting.shift() ?? this.#nextAnswer();
    if (message !== undefined) {
      this.#write(message);
      return true;
    }
    for (const progress of this.#progress.values()) {
      if (progress.isBehind && progress.transfer === undefined) return this.#bringForward(progress);
    }
    return this.#writeChunk();
  }

  #nextAnswer(): CoordinatorMessage | undefined {
    for (const [key, answer] of this.#answers) {
      this.#answers.delete(key);
      return { kind: { $case: "ack", value: answer } };
    }
    return undefined;
  }

  /** Always true: another list may be behind, too. */
  #bringForward(progress: ListProgress): true {
    const outgoing = this.#parts.ledger.deltaSince(progress.list.list, progress.position, this.#features);
    switch (outgoing.kind) {
      case "nothing":
      case "withheld":
        progress.isBehind = false;
        return true;
      case "delta":
        progress.position = outgoing.to; // still behind until the ledger says `nothing`
        this.#write(outgoing.message);
        this.#parts.onDelta(outgoing.bytes);
        return true;
      case "snapshot":
        progress.transfer = { chunks: outgoing.chunks, to: outgoing.to, next: outgoing.chunks.first };
        this.#parts.onSnapshot(progress.list.list, outgoing.reason);
        this.#endIfComplete(progress);
        return true;
    }
  }

  #writeChunk(): boolean {
    if (this.#sent.length >= WINDOW_CHUNKS) return false;
    for (const progress of this.#progress.values()) {
      const { transfer } = progress;
      if (transfer === undefined) continue;
      this.#sent.push({ list: progress.list.list, revision: transfer.to.revision, chunk: transfer.next });
      this.#write(transfer.chunks.message(transfer.next));
      transfer.next += 1;
      this.#endIfComplete(progress);
      return true;
    }
    return false;
  }

  /** The whole is written: what follows it may be, too, for a stream keeps its order. */
  #endIfComplete(progress: ListProgress): void {
    const { transfer } = progress;
    if (transfer === undefined || transfer.next < transfer.chunks.count) return;
    progress.transfer = undefined;
    progress.position = transfer.to;
    progress.isBehind = true;
  }

  #write(message: CoordinatorMessage | Buffer): void {
    if (!this.#parts.write(message)) this.#isFull = true;
  }
}
