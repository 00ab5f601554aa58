/** Waiting in tests: for a condition, with a deadline, never for a time. */

const POLL_MS = 10;

/** The first value that is not undefined or false; fails with `what` when it takes longer. */
export async function until<T>(what: string, probe: () => Promise<T> | T, maxMs = 60_000): Promise<T> {
  const deadlineMs = performance.now() + maxMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadlineMs) throw new Error(`not within ${maxMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
