/** Percentiles of the last some hundred durations. */

const KEPT = 512;

export interface Percentiles {
  record(value: number): void;
  /** 0 before the first. `share` 0.5 = the median. */
  at(share: number): number;
}

export function createPercentiles(): Percentiles {
  const values: number[] = [];
  let next = 0;
  return {
    record(value) {
      values[next] = value;
      next = (next + 1) % KEPT;
    },
    at(share) {
      const sorted = values.toSorted((a, b) => a - b);
      return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    },
  };
}
