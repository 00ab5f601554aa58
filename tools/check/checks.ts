/** What a machine can judge without running the product: types, lint and format, import rules, generated code. */

import type { FileResult } from "../test/result.ts";
import { captureTool, PROTO, ROOT } from "../tool.ts";

export interface Check {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const CHECKS: readonly Check[] = [
  { name: "types", program: "tsc", args: ["-p", "."] },
  { name: "lint", program: "biome", args: ["check", "--error-on-warnings", "--max-diagnostics=100"] },
  { name: "imports", program: "node", args: ["tools/check/structure.ts"] },
  { name: "lockfiles", program: "node", args: ["tools/check/lockfiles.ts"] },
  { name: "schema", program: "buf", args: ["lint"], cwd: PROTO },
  { name: "generated", program: "node", args: ["tools/generate.ts", "--check"] },
  { name: "dependencies", program: "knip", args: ["--no-progress"] },
];

/** Run when asked for by name: files that only tests keep. */
const ON_REQUEST: readonly Check[] = [
  { name: "unused", program: "node", args: ["tools/check/structure.ts"], env: { FLEETBAN_FIND_UNUSED: "1" } },
];

/** All but those on request, or those that are named. */
export function findChecks(names: readonly string[] = []): readonly Check[] {
  const every = [...CHECKS, ...ON_REQUEST];
  const unknown = names.find((name) => !every.some((check) => check.name === name));
  if (unknown !== undefined) {
    throw new Error(`check ${unknown}: unknown; there are ${every.map((check) => check.name).join(", ")}`);
  }
  return names.length === 0 ? CHECKS : every.filter((check) => names.includes(check.name));
}

export async function runCheck(check: Check): Promise<FileResult> {
  const begunMs = performance.now();
  const { program, args, cwd = ROOT, env = {} } = check;
  const { exit, output } = await captureTool(program, args, { cwd, env });
  const failures = exit === 0 ? [] : [{ test: `exit ${exit}`, text: output }];
  const tookMs = performance.now() - begunMs;
  return { name: check.name, passed: exit === 0 ? 1 : 0, failures, skipped: [], tookMs };
}
