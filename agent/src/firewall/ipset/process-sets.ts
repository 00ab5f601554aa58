/**
 * Kernel sets by way of the `ipset` program, where netlink can't be used: one living child for all that changes, one
 * short one for each whole listing. Never one an address.
 *
 * Batches go to the child with one fence behind them; only a batch in which something was complained of is given again,
 * with a fence behind each line, to name the refused ones (every line may be repeated).
 */
import type { Clock } from "@fleetban/kit/clock";
import { runProgram } from "@fleetban/kit/run-program";
import type { Spawn } from "@fleetban/kit/spawn";
import type { KernelEntry, Op, Refusal, SetHeader, SetName, SetSpec } from "../backend.ts";
import { BackendError, remedyFor } from "../backend-error.ts";
import { type Coprocess, createCoprocess } from "./coprocess.ts";
import { checkKind, isOwnSet, type KernelHeader, type KernelSets } from "./kernel-sets.ts";
import { nextTurn } from "./next-turn.ts";
import { createLine, destroyLine, opLine, swapLine, testLine } from "./set-command.ts";
import { complaintCode, entriesInText, headersInText, testResult } from "./set-text.ts";
import { untilFree } from "./until-free.ts";

/** As long as the child may be away from an urgent op: 10 ms. */
const LINES_A_BATCH = 500;
const ENTRIES_A_PIECE = 1_000;

export interface ProcessSetsParts {
  readonly spawn: Spawn;
  readonly clock: Pick<Clock, "timer" | "sleep">;
}

/** Rejects with the reason when the program or the kernel's ip_set is missing. */
export async function openProcessSets(parts: ProcessSetsParts): Promise<KernelSets> {
  await readHeaders(parts);
  const coprocess = createCoprocess(parts);
  return {
    via: "process",
    createSet: (spec) => createSet(parts, coprocess, spec),
    swapSets: (a, b) => untilFree(parts.clock, () => must(coprocess, "swap sets", a, swapLine(a, b))),
    destroySet: (name) => untilFree(parts.clock, () => destroySet(coprocess, name)),
    apply: (ops) => applyOps(coprocess, ops),
    headers: async () => (await readHeaders(parts)).filter(({ name }) => isOwnSet(name)).map(headerOf),
    readSet: (name) => readSet(parts, name),
    async testEntry(set, prefix) {
      const [said = ""] = await coprocess.runEach([testLine(set, prefix)]);
      const result = testResult(said);
      if (result === undefined) throw complaintError("test an entry of set", set, said);
      return result;
    },
    close: () => coprocess.close(),
  };
}

/** Looked up first: once a line had `-exist`, the child says nothing when a set is there already. */
async function createSet(parts: ProcessSetsParts, coprocess: Coprocess, spec: SetSpec): Promise<"created" | "exists"> {
  const present = (await readHeaders(parts)).find(({ name }) => name === spec.name);
  if (present !== undefined) {
    checkKind(present, spec);
    return "exists";
  }
  await must(coprocess, "create set", spec.name, createLine(spec));
  return "created";
}

async function destroySet(coprocess: Coprocess, name: SetName): Promise<void> {
  const [complaint = ""] = await coprocess.runEach([destroyLine(name)]);
  if (complaint !== "" && complaintCode(complaint) !== "set-missing")
    throw complaintError("destroy set", name, complaint);
}

async function applyOps(coprocess: Coprocess, ops: readonly Op[]): Promise<readonly Refusal[]> {
  const refusals: Refusal[] = [];
  for (let at = 0; at < ops.length; at += LINES_A_BATCH) {
    const batch = ops.slice(at, at + LINES_A_BATCH);
    const lines = batch.map(opLine);
    if ((await coprocess.runTogether(lines)) === "") continue;
    const complaints = await coprocess.runEach(lines);
    for (const [index, op] of batch.entries()) refusals.push(...refusalOf(op, complaints[index] ?? ""));
  }
  return refusals;
}

function refusalOf(op: Op, complaint: string): readonly Refusal[] {
  if (complaint === "") return [];
  const code = complaintCode(complaint);
  const isNamed = code === "set-full" || code === "set-missing" || code === "no-permission";
  return [{ op, code: isNamed ? code : "kernel-refused", detail: complaint }];
}

/** All of it before the first piece: a half-read listing keeps the kernel from swapping the set. */
async function* readSet(parts: ProcessSetsParts, name: SetName): AsyncIterable<readonly KernelEntry[]> {
  const text = await outputOf(parts, "read set", name, ["save", name]);
  for (const piece of entriesInText(text, ENTRIES_A_PIECE)) {
    yield piece;
    await nextTurn();
  }
}

async function readHeaders(parts: ProcessSetsParts): Promise<readonly KernelHeader[]> {
  return headersInText(await outputOf(parts, "list sets", undefined, ["list", "-t"]));
}

function headerOf({ name, family, maxEntries, entries, references }: KernelHeader): SetHeader {
  return { name, family, maxEntries, entries, references };
}

async function outputOf(
  parts: ProcessSetsParts,
  act: string,
  name: SetName | undefined,
  args: readonly string[],
): Promise<string> {
  const { end, stdout, stderr } = await runProgram(parts, ["ipset", ...args]);
  if (end.kind === "exited" && end.code === 0) return stdout;
  if (end.kind === "not-started") {
    throw new BackendError("kernel-sets-missing", `program ipset: can't be started (${end.code})`, {
      hint: "install it (Debian, Ubuntu: apt install ipset; RHEL, Fedora: dnf install ipset)",
    });
  }
  throw complaintError(act, name, stderr.trim() || `program ipset: ${end.kind}`);
}

async function must(coprocess: Coprocess, act: string, name: SetName, line: string): Promise<void> {
  const [complaint = ""] = await coprocess.runEach([line]);
  if (complaint !== "") throw complaintError(act, name, complaint);
}

function complaintError(act: string, name: SetName | undefined, complaint: string): BackendError {
  const code = complaintCode(complaint);
  return new BackendError(code, `${name === undefined ? act : `${act} ${name}`}: ${complaint}`, remedyFor(code));
}
