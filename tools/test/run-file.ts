/**
 * Runs one test file in a process of its own and says what came of it.
 *
 * The process leads a group: what it leaves behind is found, ended, and a failure, as is a file that does not end (a
 * handle stayed open), an exit code without a failed test (an unhandled rejection after the last), and a file that
 * holds no test at all.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { ROOT } from "../tool.ts";
import { endGroup, groupMembers } from "./process-group.ts";
import type { Failure, FileResult, Skip } from "./result.ts";

export interface RunOptions {
  readonly timeoutMs: number;
  readonly name: string | undefined;
  readonly isCi: boolean;
  readonly signal: AbortSignal;
}

type ReportLine =
  | { readonly kind: "began" | "ended" | "passed"; readonly test: string }
  | { readonly kind: "skipped"; readonly test: string; readonly reason: string }
  | { readonly kind: "failed"; readonly test: string; readonly text: string }
  | { readonly kind: "diagnostic"; readonly text: string };

interface Ending {
  readonly exit: string;
  readonly output: string;
  readonly leftBehind: readonly string[];
}

const OUTPUT_SHOWN_CHARACTERS = 16_000;
const GOING_MS = 3_000;
const LOOK_EVERY_MS = 20;

export async function runTestFile(file: string, options: RunOptions): Promise<FileResult> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-test-"));
  const begunMs = performance.now();
  try {
    const reportPath = join(folder, "report");
    const ending = await runProcess(file, reportPath, options);
    const lines = parseReport(await readFile(reportPath, "utf8").catch(() => ""));
    return { ...judge(lines, ending, options), name: file, tookMs: performance.now() - begunMs };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runProcess(file: string, reportPath: string, options: RunOptions): Promise<Ending> {
  const reporter = join(import.meta.dirname, "reporter.mjs");
  const name = options.name === undefined ? [] : [`--test-name-pattern=${options.name}`];
  const args = [`--test-reporter=${reporter}`, `--test-reporter-destination=${reportPath}`, ...name, join(ROOT, file)];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, NODE_COMPILE_CACHE: join(ROOT, "node_modules", ".cache", "node") },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => output.push(chunk));
  const pid = child.pid ?? 0;
  const limit = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
  const stop = () => endGroup(pid);
  limit.addEventListener("abort", stop, { once: true });
  try {
    const exit = await exitOf(child);
    const leftBehind = limit.aborted ? [] : await membersThatStay(pid);
    endGroup(pid);
    return { exit: limit.aborted ? abortText(options) : exit, output: Buffer.concat(output).toString(), leftBehind };
  } finally {
    limit.removeEventListener("abort", stop);
  }
}

/** Without those that were killed and take a moment to go. */
async function membersThatStay(group: number): Promise<readonly string[]> {
  const deadlineMs = performance.now() + GOING_MS;
  for (;;) {
    const members = await groupMembers(group);
    if (members.length === 0 || performance.now() > deadlineMs) return members;
    await setTimeout(LOOK_EVERY_MS);
  }
}

/** "close" would wait for whoever inherited the pipes: what is left behind would look like a hang. */
function exitOf(child: ReturnType<typeof spawn>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.once("error", reject);
  child.once("exit", (code, signal) => setImmediate(resolve, signal ?? String(code)));
  return promise;
}

function abortText({ signal, timeoutMs }: RunOptions): string {
  return signal.aborted ? "interrupted" : `timeout after ${timeoutMs / 1_000} s`;
}

function parseReport(text: string): ReportLine[] {
  const whole = text.split("\n").slice(0, -1);
  return whole.map((line) => JSON.parse(line) as ReportLine);
}

function judge(lines: readonly ReportLine[], ending: Ending, { isCi }: RunOptions) {
  const passed = lines.filter((line) => line.kind === "passed").length;
  const skips = lines.filter((line) => line.kind === "skipped");
  const isMissing = (skip: Skip) => isCi && skip.reason.startsWith("needs ");
  const failures: Failure[] = lines.filter((line) => line.kind === "failed");
  for (const skip of skips.filter(isMissing)) failures.push({ test: skip.test, text: `skipped in CI: ${skip.reason}` });
  if (failures.length === 0) failures.push(...failuresOfProcess(lines, ending));
  const [first, ...rest] = failures;
  const shown = first === undefined ? [] : [...rest, ...withOutput(first, rest.length, ending.output)];
  return { passed, failures: shown, skipped: skips.filter((skip) => !isMissing(skip)) };
}

/** What failed although every test that ended was fine. */
function failuresOfProcess(lines: readonly ReportLine[], { exit, leftBehind }: Ending): Failure[] {
  if (leftBehind.length > 0) return [{ test: "(file)", text: `processes left behind: ${leftBehind.join(", ")}` }];
  if (exit === "0") return lines.length > 0 ? [] : [{ test: "(file)", text: "there is no test in it" }];
  const over = new Set(lines.flatMap((line) => ("test" in line && line.kind !== "began" ? [line.test] : [])));
  const begun = lines.flatMap((line) => (line.kind === "began" && !over.has(line.test) ? [line.test] : []));
  const diagnostics = lines.flatMap((line) => (line.kind === "diagnostic" ? [line.text] : []));
  const why = begun.length > 0 ? `not finished: ${begun.join(", ")}` : "every test that began has ended";
  const hint = exit.startsWith("timeout") && begun.length === 0 ? "; a timer, socket or process is still open" : "";
  return [{ test: "(file)", text: [`ended by ${exit}; ${why}${hint}`, ...diagnostics].join("\n") }];
}

function withOutput(failure: Failure, others: number, output: string): Failure[] {
  const tail = output.trim().slice(-OUTPUT_SHOWN_CHARACTERS);
  if (tail === "") return [failure];
  if (others === 0) return [{ test: failure.test, text: `${failure.text}\n--- output of the file:\n${tail}` }];
  return [failure];
}
