/** A few lanes as one: a transaction goes to the lane with the fewest before it, so a long one holds up no other. */
import type { Sql } from "./sql.ts";
import type { Lane } from "./store.ts";

export function openLanes(openLane: () => Lane, count: number): Lane {
  const all = Array.from({ length: count }, () => ({ lane: openLane(), waiting: 0 }));
  return {
    async transaction<T>(work: (sql: Sql, commitNow: () => void) => Promise<T>): Promise<T> {
      const least = all.reduce((a, b) => (b.waiting < a.waiting ? b : a));
      least.waiting += 1;
      try {
        return await least.lane.transaction(work);
      } finally {
        least.waiting -= 1;
      }
    },
    async close() {
      await Promise.all(all.map(({ lane }) => lane.close()));
    },
  };
}
