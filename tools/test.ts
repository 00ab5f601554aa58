/**
 * Runs every check and test, quick ones first, and ends with one line: `N passed, N failed, N skipped`.
 *
 *     npm test                        everything
 *     npm test -- --fast              checks and unit tests only
 *     npm test -- agent/src/spool     test files whose path contains this, no checks
 *     npm test -- --phase db          one phase
 *     npm test -- --name "a pardon" … only tests with this name
 *
 * With CI=true a test that was skipped because something is not installed ("needs …") counts as failed.
 */
import { type Check, findChecks, runCheck } from "./check/checks.ts";
import { readOptions } from "./options.ts";
import { forEachBounded } from "./test/bounded.ts";
import { findTestFiles, PHASES, type PhaseName } from "./test/phases.ts";
import { preparePrograms } from "./test/programs.ts";
import { type FileResult, failureText } from "./test/result.ts";
import { runTestFile } from "./test/run-file.ts";

const FAST: readonly PhaseName[] = ["check", "unit"];

const { values, positionals } = readOptions(
  {
    allowPositionals: true,
    options: { fast: { type: "boolean", default: false }, phase: { type: "string" }, name: { type: "string" } },
  },
  "npm test [-- [--fast] [--phase NAME] [--name TEST] [part of a path …]]",
);

const isCi = process.env.CI === "true";
const total = { passed: 0, failed: 0, skipped: 0 };
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => interrupted.abort(new Error(signal)));
}

for (const phase of PHASES.filter((candidate) => isWanted(candidate.name))) {
  if (phase.name === "check") {
    await runPhase("check", await findChecks(), 2, runCheck);
    continue;
  }
  const files = await findTestFiles(phase.name, positionals);
  if (files.length === 0) continue;
  add(await preparePrograms(phase.programs, isCi));
  await runPhase(phase.name, files, phase.concurrency, (file) =>
    runTestFile(file, { timeoutMs: phase.timeoutMs, name: values.name, isCi, signal: interrupted.signal }),
  );
}

if (total.passed + total.failed + total.skipped === 0) {
  console.error("fleetban: no test matches");
  process.exitCode = 1;
}
if (total.failed > 0 || interrupted.signal.aborted) process.exitCode = 1;
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);

function isWanted(name: PhaseName): boolean {
  if (values.phase !== undefined) return name === values.phase;
  if (values.fast && !FAST.includes(name)) return false;
  return name !== "check" || (positionals.length === 0 && values.name === undefined);
}

async function runPhase<Item extends string | Check>(
  name: PhaseName,
  items: readonly Item[],
  concurrency: number,
  runOne: (item: Item) => Promise<FileResult>,
): Promise<void> {
  const begunMs = performance.now();
  const before = { ...total };
  await forEachBounded(items, concurrency, async (item) => {
    if (interrupted.signal.aborted) return;
    add(await runOne(item));
  });
  const seconds = ((performance.now() - begunMs) / 1_000).toFixed(1);
  const counts = `${total.passed - before.passed} passed, ${total.failed - before.failed} failed`;
  console.log(`${name}: ${counts}, ${total.skipped - before.skipped} skipped in ${seconds} s\n`);
}

function add(result: FileResult): void {
  total.passed += result.passed;
  total.failed += result.failures.length;
  total.skipped += result.skipped.length;
  const seconds = (result.tookMs / 1_000).toFixed(1);
  const skipped = result.skipped.length === 0 ? "" : `, ${result.skipped.length} skipped`;
  const mark = result.failures.length === 0 ? "ok  " : "FAIL";
  if (result.tookMs > 0) console.log(`${mark} ${result.name} (${result.passed} passed${skipped}, ${seconds} s)`);
  for (const { test, reason } of result.skipped) console.log(`     skipped: ${test}: ${reason}`);
  for (const failure of result.failures) console.log(failureText(result.name, failure));
}
