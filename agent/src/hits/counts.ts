/** Packets and bytes together, as the kernel counts them. */
export interface Counts {
  readonly packets: number;
  readonly bytes: number;
}

export const NO_COUNTS: Counts = { packets: 0, bytes: 0 };

/** A sum stops there: what is beyond does not travel. */
const MAX_COUNT = Number.MAX_SAFE_INTEGER;

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    packets: Math.min(MAX_COUNT, a.packets + b.packets),
    bytes: Math.min(MAX_COUNT, a.bytes + b.bytes),
  };
}
