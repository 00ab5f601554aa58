/** Jobs as rows of a table, and one that fails in a sentence. */
import { type Cell, type Column, humanMicroseconds, humanMoment } from "@fleetban/kit/cli-output";
import type { JobRun, JobStatus } from "@fleetban/proto/wire/admin";

export const JOB_COLUMNS: readonly Column[] = [
  { title: "job" },
  { title: "begun" },
  { title: "took", align: "right" },
  { title: "outcome" },
  { title: "last done" },
  { title: "failed today", align: "right" },
];

export const RUN_COLUMNS: readonly Column[] = [
  { title: "begun" },
  { title: "took", align: "right" },
  { title: "outcome" },
  { title: "replica" },
];

export function jobRow({ job, last, doneAtMs, failures }: JobStatus, nowMs: number): readonly Cell[] {
  const [begun, took, outcome] = last === undefined ? [] : runCells(last, nowMs);
  return [job, begun, took, outcome, humanMoment(doneAtMs, nowMs), failures];
}

export function runRow(run: JobRun, nowMs: number): readonly Cell[] {
  return [...runCells(run, nowMs), run.replica];
}

export function failingText({ job, last, doneAtMs }: JobStatus, nowMs: number): string {
  const code = last?.errorCode ?? "";
  const done = doneAtMs === 0 ? "it was never done" : `last done ${humanMoment(doneAtMs, nowMs)}`;
  return `job ${job} failed ${humanMoment(last?.endedAtMs ?? 0, nowMs)} (${code}), ${done}: fleetban jobs show ${job}`;
}

function runCells({ startedAtMs, endedAtMs, outcome, errorCode }: JobRun, nowMs: number): readonly Cell[] {
  const took = endedAtMs === 0 ? undefined : humanMicroseconds((endedAtMs - startedAtMs) * 1_000);
  const word = outcome === "" ? "not ended" : outcome;
  return [humanMoment(startedAtMs, nowMs), took, errorCode === "" ? word : `${word}: ${errorCode}`];
}
