/**
 * The agent's journal of sightings: append-only, bounded, crash-safe. Keeps invariant 1.
 *
 * `append` resolves when the records are durable; appends that arrive during a sync share the next one. A record leaves
 * only when the coordinator has acknowledged it, or when the spool is full: then the oldest segment is dropped and
 * counted. Each start draws a new incarnation and a new segment; older records keep the (incarnation, seq) they were
 * written with. The newest acknowledged megabyte stays, so that sources know again what they have told.
 */
import type { Timer } from "@fleetban/kit/clock";
import type { Sighting } from "@fleetban/proto/model/sighting";
import { drawIncarnation, type Held, type SpoolParts, totalBytes } from "./held.ts";
import { createFreshSightings, readRun } from "./read-back.ts";
import { type Recovered, recover } from "./recover.ts";
import { type Acknowledged, agrees, renew } from "./renewal.ts";
import { removeAcknowledged } from "./room.ts";
import { saveCheckpoint } from "./save-checkpoint.ts";
import { createSegmentWriter } from "./segment-writer.ts";
import type { SourcePosition } from "./source-position.ts";
import { SpoolError } from "./spool-error.ts";
import type { Run } from "./spool-index.ts";
import { type SpoolEntry, writeBatch } from "./write-batch.ts";

const SEGMENT_MAX_BYTES = 1 << 20;
/** A full spool drops one of at least so many segments. */
const SEGMENTS_MIN = 8;
const CHECKPOINT_DELAY_MS = 10_000;

/** A sighting's name on the wire. */
export interface SpoolPosition {
  readonly incarnation: Uint8Array;
  readonly seq: number;
}

export interface SpoolBatch {
  readonly incarnation: Uint8Array;
  readonly firstSeq: number;
  readonly sightings: readonly Sighting[];
}

interface Waiting {
  readonly entries: readonly SpoolEntry[];
  readonly resolve: (outcome: { readonly firstSeq: number }) => void;
  readonly reject: (cause: unknown) => void;
}

export async function openSpool(parts: SpoolParts, settings: { readonly maxBytes: number }): Promise<Spool> {
  return new Spool(parts, settings.maxBytes, await recover(parts.files, parts.log));
}

export class Spool {
  readonly #held: Held;
  readonly #fresh = createFreshSightings();
  #recent: readonly Sighting[];
  #waiting: Waiting[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #changed = Promise.withResolvers<void>();
  #checkpoint: Timer | undefined;
  #isClosed = false;
  readonly #bad = new Set<string>();

  constructor(parts: SpoolParts, maxBytes: number, recovered: Recovered) {
    const { index, segments, positions, recent, checkpoint } = recovered;
    const lastSegment = Math.max(0, ...segments.keys());
    const segmentBytes = Math.min(SEGMENT_MAX_BYTES, Math.floor(maxBytes / SEGMENTS_MIN));
    this.#recent = recent;
    this.#held = {
      ...{ parts, maxBytes, index, segments, positions, noted: new Set() },
      writer: createSegmentWriter(parts.files, lastSegment, segmentBytes),
      incarnation: drawIncarnation(parts.random),
      nextSeq: 1,
      lost: checkpoint.lost,
      forgottenBeforeMs: checkpoint.forgottenBeforeMs,
    };
  }

  /** Durable when it resolves. Rejects with SpoolError; then nothing of it counts and it can be tried again. */
  append(entries: readonly SpoolEntry[]): Promise<{ readonly firstSeq: number }> {
    if (this.#isClosed) return Promise.reject(new SpoolError("spool-closed", "the spool is closed"));
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly firstSeq: number }>();
    this.#waiting.push({ entries, resolve, reject });
    if (this.#waiting.length === 1) void this.#exclusive(() => this.#writeWaiting()); // tells each who waits
    return promise;
  }

  /** A source was read up to here without anything to append. Not durable until the next append or checkpoint. */
  note(position: SourcePosition): void {
    this.#held.positions.set(position.source, position);
    this.#held.noted.add(position.source);
    this.#checkpointSoon();
  }

  /** How far each source was read, by its name. */
  positions(): ReadonlyMap<string, SourcePosition> {
    return this.#held.positions;
  }

  /** The newest sightings of earlier runs, oldest first; given once. */
  takeRecent(): readonly Sighting[] {
    const recent = this.#recent;
    this.#recent = [];
    return recent;
  }

  /** The next unacknowledged ones after `point`, without gap and of one incarnation; undefined = none. */
  async after(point: SpoolPosition | undefined, maxItems: number): Promise<SpoolBatch | undefined> {
    const next = this.#held.index.next(point && keyOf(point), maxItems);
    if (next === undefined) return undefined;
    const { run, from, to } = next;
    const firstSeq = run.firstSeq + from;
    const incarnation = bytesOf(run.incarnation);
    const sightings = await this.#read(run, from, to);
    if (sightings === undefined) return await this.after(point, maxItems);
    if (sightings.length > 0) return { incarnation, firstSeq, sightings };
    this.#passOver(run, from);
    return await this.after({ incarnation, seq: firstSeq }, maxItems);
  }

  /** Unacknowledged ones up to and including `point`. */
  outstanding(point: SpoolPosition | undefined): number {
    return point === undefined ? 0 : this.#held.index.outstanding(keyOf(point));
  }

  async acknowledge(incarnation: Uint8Array, seq: number): Promise<void> {
    const { acknowledged, lost } = this.#held.index.acknowledge({ incarnation: hexOf(incarnation), seq });
    if (acknowledged === 0) return;
    this.#held.lost += lost;
    this.#tellChanged();
    this.#checkpointSoon();
    await this.#exclusive(() => removeAcknowledged(this.#held)).catch((error) => this.#warn(error));
  }

  /** What the coordinator has already. A number or act that this machine did not write makes a new incarnation. */
  async welcomed(acknowledged: readonly Acknowledged[]): Promise<void> {
    const disowned = new Set<string>();
    for (const known of acknowledged) {
      const incarnation = hexOf(known.incarnation);
      const isOurs = await this.#exclusive(() => agrees(this.#held, this.#fresh, incarnation, known));
      if (isOurs) await this.acknowledge(known.incarnation, known.seq);
      else disowned.add(incarnation);
    }
    if (disowned.size === 0) return;
    this.#held.parts.log.warn("spool.incarnation_renewed", { disowned: [...disowned] });
    await this.#exclusive(() => renew(this.#held, this.#fresh, disowned));
    this.#tellChanged();
  }

  /** For Hello: each incarnation with unacknowledged sightings, and the current one. */
  describe(): readonly { readonly incarnation: Uint8Array; readonly firstSeq: number; readonly lastSeq: number }[] {
    const { incarnation, nextSeq, index } = this.#held;
    const spools = index.spools();
    const isNamed = spools.some((spool) => spool.incarnation === incarnation);
    const current = isNamed ? [] : [{ incarnation, firstSeq: nextSeq, lastSeq: nextSeq - 1 }];
    return [...spools, ...current].map((spool) => ({ ...spool, incarnation: bytesOf(spool.incarnation) }));
  }

  /** Resolves at the next append, acknowledgement or renewal. */
  async changed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([this.#changed.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Unacknowledged sightings. */
  get size(): number {
    return this.#held.index.unacknowledged;
  }

  /** When the oldest unacknowledged one was recorded. */
  get oldestMs(): number | undefined {
    return this.#held.index.oldestMs;
  }

  /** Sightings that were never acknowledged and are gone, ever. */
  get lost(): number {
    return this.#held.lost + this.#held.index.gaps;
  }

  /** On disk, and at most; acknowledged ones are removed before anything is dropped. */
  get fill(): { readonly bytes: number; readonly maxBytes: number } {
    return { bytes: totalBytes(this.#held), maxBytes: this.#held.maxBytes };
  }

  /** Of sightings recorded before this moment some may be forgotten; 0 = all that were ever recorded are known. */
  get forgottenBeforeMs(): number {
    return this.#held.forgottenBeforeMs;
  }

  /** In force from the next append on. */
  limit(maxBytes: number): void {
    this.#held.maxBytes = maxBytes;
  }

  /** Appends under way are finished. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#checkpoint?.cancel();
    await this.#exclusive(() => saveCheckpoint(this.#held)).catch((error) => this.#warn(error));
    await this.#exclusive(() => this.#held.writer.startAfter(0));
  }

  async #writeWaiting(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    const entries = batch.flatMap((waiting) => waiting.entries);
    try {
      let firstSeq = entries.length > 0 ? await writeBatch(this.#held, entries) : this.#held.nextSeq;
      for (const [at, { sighting }] of entries.entries()) {
        this.#fresh.put({ incarnation: this.#held.incarnation, seq: firstSeq + at }, sighting);
      }
      for (const waiting of batch) {
        waiting.resolve({ firstSeq });
        firstSeq += waiting.entries.length;
      }
      this.#tellChanged();
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
  }

  /** One at a time, in order. */
  #exclusive<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act);
    this.#turn = result.catch(() => undefined); // its caller has the error
    return result;
  }

  /** `undefined` when the run was dropped or renewed meanwhile. */
  async #read(run: Run, from: number, to: number): Promise<readonly Sighting[] | undefined> {
    try {
      return await readRun(this.#held, this.#fresh, run, from, to);
    } catch (error) {
      if (this.#held.index.runs.includes(run)) throw error;
      return undefined;
    }
  }

  /** A record that went bad on the disk: lost, and acknowledged with those around it. */
  #passOver(run: Run, at: number): void {
    const offset = run.offsets[at] as number;
    if (!this.#bad.has(`${run.segment}/${offset}`)) {
      this.#bad.add(`${run.segment}/${offset}`);
      this.#held.lost += 1;
      this.#held.parts.log.error("spool.damage_found", { lostSightings: 1 });
    }
    if (run.acknowledged !== at) return;
    this.#held.lost += this.#held.index.acknowledge({ incarnation: run.incarnation, seq: run.firstSeq + at }).lost;
  }

  #tellChanged(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #checkpointSoon(): void {
    if (this.#isClosed || this.#checkpoint !== undefined) return;
    this.#checkpoint = this.#held.parts.clock.timer(CHECKPOINT_DELAY_MS, () => {
      this.#checkpoint = undefined;
      this.#exclusive(() => saveCheckpoint(this.#held)).catch((error) => {
        this.#warn(error);
        this.#checkpointSoon();
      });
    });
  }

  #warn(error: unknown): void {
    this.#held.parts.log.warn("spool.checkpoint_failed", { error });
  }
}

function keyOf({ incarnation, seq }: SpoolPosition): { incarnation: string; seq: number } {
  return { incarnation: hexOf(incarnation), seq };
}

function hexOf(incarnation: Uint8Array): string {
  return Buffer.from(incarnation).toString("hex");
}

function bytesOf(incarnation: string): Uint8Array {
  return Uint8Array.from(Buffer.from(incarnation, "hex"));
}
