/**
 * Checks the import rules of .dependency-cruiser.cjs.
 *
 * dependency-cruiser ends well when it has seen nothing (a TypeScript that it cannot use is enough), so that the files
 * which it looked at are compared with those which are there.
 */
import { existsSync } from "node:fs";
import { glob } from "node:fs/promises";
import { join } from "node:path";
import { captureTool, ROOT } from "../tool.ts";

export interface Violation {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
  readonly comment: string;
}

interface CruiseReport {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
    }[];
    readonly ruleSetUsed: { readonly forbidden: readonly { readonly name: string; readonly comment: string }[] };
  };
}

const FOLDERS = ["kit", "proto", "agent", "coordinator", "test", "bench", "tools"];

if (import.meta.main) {
  const violations = await findViolations(ROOT);
  for (const { rule, from, to, comment } of violations) console.error(`${from} → ${to}: ${rule}: ${comment}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

/** Cruises the folders of the workspace below `root`. */
export async function findViolations(root: string, env: Readonly<Record<string, string>> = {}): Promise<Violation[]> {
  const folders = FOLDERS.filter((folder) => existsSync(join(root, folder)));
  const config = join(ROOT, ".dependency-cruiser.cjs");
  const present = await presentFiles(root);
  const args = ["--config", config, "--output-type", "json", ...folders];
  const { output } = await captureTool("depcruise", args, { cwd: root, env });
  const { modules, summary } = JSON.parse(output) as CruiseReport;
  assertComplete(present, new Set(modules.map((module) => module.source)));
  const comments = new Map(summary.ruleSetUsed.forbidden.map((rule) => [rule.name, rule.comment]));
  return summary.violations.map(({ rule, from, to }) => ({
    rule: rule.name,
    from,
    to,
    comment: comments.get(rule.name) ?? "",
  }));
}

async function presentFiles(root: string): Promise<string[]> {
  const exclude = (path: string) => /(^|\/)node_modules$/.test(path);
  return await Array.fromAsync(glob(`{${FOLDERS.join(",")}}/**/*.ts`, { cwd: root, exclude }));
}

function assertComplete(present: readonly string[], seen: ReadonlySet<string>): void {
  const unseen = present.filter((path) => !seen.has(path));
  if (present.length > 0 && unseen.length === 0) return;
  throw new Error(`dependency-cruiser saw ${seen.size} modules and missed ${unseen.length}, such as ${unseen[0]}`);
}
