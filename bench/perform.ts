/** Runs a benchmark to its end, its deadline or Ctrl-C, and takes down what it made, whichever it was. */
import { needs } from "../test/support/fleet/needs.ts";

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** What `measure` makes it gives to `undo` first. Ends the process. */
export async function perform(
  deadlineMs: number,
  measure: (undo: AsyncDisposableStack) => Promise<void>,
): Promise<never> {
  const missing = needs();
  if (missing !== false) process.exit(complain(`this benchmark ${missing}`));
  const undo = new AsyncDisposableStack();
  const exitCode = await Promise.race([measure(undo).then(() => 0, complain), interrupted(), late(deadlineMs)]);
  await undo.disposeAsync();
  process.exit(exitCode); // what was under way when it was interrupted is not waited for: its processes are gone
}

function interrupted(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  for (const [signal, exitCode] of Object.entries(SIGNALS)) process.on(signal, () => resolve(exitCode));
  return promise;
}

function late(deadlineMs: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  setTimeout(() => resolve(complain(`not done after ${deadlineMs / 1_000} s`)), deadlineMs).unref();
  return promise;
}

function complain(problem: unknown): number {
  console.error("fleetban: error:", problem);
  return 1;
}
