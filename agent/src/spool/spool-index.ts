/**
 * What the spool holds and where, in memory: a few bytes a record, the records themselves stay on disk.
 *
 * A run is what follows without gap in one segment and one incarnation. Runs stand in the order of writing, which is
 * the order of sending; acknowledged ones stay until their segment goes.
 */

export interface SpoolPoint {
  /** 32 hexadecimal digits. */
  readonly incarnation: string;
  readonly seq: number;
}

export interface RecordPlace {
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface Run {
  readonly incarnation: string;
  readonly firstSeq: number;
  readonly segment: number;
  /** Lost between this run and the one before: never read again. */
  gapBefore: number;
  readonly offsets: number[];
  readonly sizes: number[];
  readonly recordedAtMs: number[];
  /** So many from the front are acknowledged. */
  acknowledged: number;
}

export class SpoolIndex {
  #runs: Run[] = [];
  #unacknowledged = 0;

  get unacknowledged(): number {
    return this.#unacknowledged;
  }

  /** Lost to damage, as far as the records still here tell. */
  get gaps(): number {
    return this.#runs.reduce((sum, run) => sum + run.gapBefore, 0);
  }

  add(point: SpoolPoint, place: RecordPlace, recordedAtMs: number, gapBefore = 0): void {
    let run = this.#runs.at(-1);
    if (run === undefined || gapBefore > 0 || run.segment !== place.segment || !continues(run, point)) {
      const { incarnation, seq: firstSeq } = point;
      run = {
        ...{ incarnation, firstSeq, segment: place.segment, gapBefore, acknowledged: 0 },
        ...{ offsets: [], sizes: [], recordedAtMs: [] },
      };
      this.#runs.push(run);
    }
    run.offsets.push(place.offset);
    run.sizes.push(place.bytes);
    run.recordedAtMs.push(recordedAtMs);
    this.#unacknowledged += 1;
  }

  /** Returns how many are acknowledged by it, and how many lost ones it leaves behind: those are told once, here. */
  acknowledge({ incarnation, seq }: SpoolPoint): { readonly acknowledged: number; readonly lost: number } {
    const before = this.#unacknowledged;
    let lost = 0;
    for (const run of this.#runs) {
      if (run.incarnation !== incarnation) continue;
      const reached = Math.min(run.offsets.length, Math.max(run.acknowledged, seq - run.firstSeq + 1));
      this.#unacknowledged -= reached - run.acknowledged;
      run.acknowledged = reached;
      if (reached === 0) continue;
      lost += run.gapBefore;
      run.gapBefore = 0;
    }
    return { acknowledged: before - this.#unacknowledged, lost };
  }

  /** Forgets a segment. Returns what was lost with it. */
  forget(segment: number): { unacknowledged: number; gaps: number; newestMs: number } {
    const gone = this.#runs.filter((run) => run.segment === segment);
    this.#runs = this.#runs.filter((run) => run.segment !== segment);
    const unacknowledged = gone.reduce((sum, run) => sum + run.offsets.length - run.acknowledged, 0);
    this.#unacknowledged -= unacknowledged;
    const newestMs = Math.max(0, ...gone.map((run) => run.recordedAtMs.at(-1) ?? 0));
    return { unacknowledged, gaps: gone.reduce((sum, run) => sum + run.gapBefore, 0), newestMs };
  }

  /** The first unacknowledged ones after `point`: of one run, at most `maxRecords`. */
  next(point: SpoolPoint | undefined, maxRecords: number): { run: Run; from: number; to: number } | undefined {
    const begin = this.#afterRun(point);
    for (const run of this.#runs.slice(begin)) {
      const sent = point?.incarnation === run.incarnation ? point.seq - run.firstSeq + 1 : 0;
      const from = Math.max(run.acknowledged, sent);
      if (from < run.offsets.length) return { run, from, to: Math.min(run.offsets.length, from + maxRecords) };
    }
    return undefined;
  }

  /** How many up to and including `point` are unacknowledged. */
  outstanding(point: SpoolPoint): number {
    const end = this.#afterRun(point);
    return this.#runs.slice(0, end + 1).reduce((sum, run, at) => {
      const reached = at < end ? run.offsets.length : sentOf(run, point);
      return sum + Math.max(0, reached - run.acknowledged);
    }, 0);
  }

  place({ incarnation, seq }: SpoolPoint): RecordPlace | undefined {
    const run = this.#runs.find(
      (candidate) =>
        candidate.incarnation === incarnation &&
        seq >= candidate.firstSeq &&
        seq < candidate.firstSeq + candidate.offsets.length,
    );
    return run && placeIn(run, seq - run.firstSeq);
  }

  /** Each incarnation that has unacknowledged ones. */
  spools(): readonly { incarnation: string; firstSeq: number; lastSeq: number }[] {
    const found = new Map<string, { incarnation: string; firstSeq: number; lastSeq: number }>();
    for (const { incarnation, firstSeq, acknowledged, offsets } of this.#runs) {
      if (acknowledged === offsets.length) continue;
      const lastSeq = firstSeq + offsets.length - 1;
      const before = found.get(incarnation);
      found.set(incarnation, { incarnation, firstSeq: before?.firstSeq ?? firstSeq + acknowledged, lastSeq });
    }
    return [...found.values()];
  }

  lastSeq(incarnation: string): number | undefined {
    const run = this.#runs.findLast((candidate) => candidate.incarnation === incarnation);
    return run && run.firstSeq + run.offsets.length - 1;
  }

  /** Every incarnation that is still here, with the highest acknowledged number; 0 = none. */
  acknowledgements(): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    for (const { incarnation, firstSeq, acknowledged } of this.#runs) {
      const reached = acknowledged > 0 ? firstSeq + acknowledged - 1 : 0;
      found.set(incarnation, Math.max(reached, found.get(incarnation) ?? 0));
    }
    return found;
  }

  isAcknowledged(segment: number): boolean {
    return this.#runs.every((run) => run.segment !== segment || run.acknowledged === run.offsets.length);
  }

  /** When the oldest unacknowledged one was recorded. */
  get oldestMs(): number | undefined {
    const run = this.#runs.find((candidate) => candidate.acknowledged < candidate.offsets.length);
    return run?.recordedAtMs[run.acknowledged];
  }

  get runs(): readonly Run[] {
    return this.#runs;
  }

  /** Number of the run that `point` lies in or, if that is gone, of the first one that can follow it. */
  #afterRun(point: SpoolPoint | undefined): number {
    if (point === undefined) return 0;
    const at = this.#runs.findLastIndex((run) => run.incarnation === point.incarnation && run.firstSeq <= point.seq);
    return Math.max(0, at);
  }
}

export function placeIn(run: Run, at: number): RecordPlace {
  return { segment: run.segment, offset: run.offsets[at] as number, bytes: run.sizes[at] as number };
}

function continues(run: Run, point: SpoolPoint): boolean {
  return run.incarnation === point.incarnation && run.firstSeq + run.offsets.length === point.seq;
}

function sentOf(run: Run, point: SpoolPoint): number {
  if (run.incarnation !== point.incarnation) return 0;
  return Math.min(run.offsets.length, Math.max(0, point.seq - run.firstSeq + 1));
}
