/** The phases of a test run, in their order, and which file belongs to which: its name says it. */
import { glob } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { ROOT } from "../tool.ts";
import { FLEET_PROGRAMS, KERNEL_PROGRAMS, type Program } from "./programs.ts";

export type PhaseName = "check" | "unit" | "db" | "kernel" | "fleet";

export interface Phase {
  readonly name: PhaseName;
  readonly concurrency: number;
  /** A file that has not ended by then has failed: a test hangs, or a handle was left open. */
  readonly timeoutMs: number;
  readonly programs: readonly Program[];
}

const CORES = Math.max(2, availableParallelism());

export const PHASES: readonly Phase[] = [
  { name: "check", concurrency: 2, timeoutMs: 400_000, programs: [] },
  { name: "unit", concurrency: CORES, timeoutMs: 240_000, programs: [] },
  { name: "db", concurrency: 2, timeoutMs: 400_000, programs: [] },
  { name: "kernel", concurrency: 2, timeoutMs: 400_000, programs: KERNEL_PROGRAMS },
  { name: "fleet", concurrency: 1, timeoutMs: 1_200_000, programs: FLEET_PROGRAMS },
];

const FOLDERS = ["kit", "proto", "agent", "coordinator", "tools", "test", "bench", "deploy"];
const PHASE_OF_SUFFIX = /\.(db|kernel|fleet)\.test\.ts$/;

/** Paths from the root, sorted. With patterns, those that contain one of them. */
export async function findTestFiles(phase: PhaseName, patterns: readonly string[]): Promise<string[]> {
  const paths: string[] = [];
  const isInstalled = (path: string) => /(^|\/)(node_modules|dist)$/.test(path);
  for await (const path of glob(`{${FOLDERS.join(",")}}/**/*.test.ts`, { cwd: ROOT, exclude: isInstalled })) {
    const matches = patterns.length === 0 || patterns.some((pattern) => path.includes(stripDot(pattern)));
    if (matches && phaseOf(path) === phase) paths.push(path);
  }
  return paths.sort();
}

export function phaseOf(path: string): PhaseName {
  return (PHASE_OF_SUFFIX.exec(path)?.[1] as PhaseName | undefined) ?? "unit";
}

function stripDot(pattern: string): string {
  return pattern.replace(/^\.\//, "");
}
