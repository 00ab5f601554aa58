/** What all benchmarks print alike: a table for people on stderr, the one line of JSON for programs on stdout. */
import { cpus, release, totalmem } from "node:os";
import { type Column, renderFacts, renderTable } from "@fleetban/kit/cli-output";

export interface BenchOptions {
  readonly quick: boolean;
  readonly json: boolean;
}

export interface Result {
  readonly bench: string;
  /** For programs: the names are documented, nothing is added to them. */
  readonly figures: Readonly<Record<string, number>>;
  /** For people: what was measured, and what stands behind the figures. */
  readonly rows: readonly (readonly [what: string, ...cells: (string | number)[]])[];
  readonly columns: readonly string[];
  readonly notes: readonly (readonly [string, string])[];
}

export function benchOptions(args: readonly string[]): BenchOptions {
  return { quick: args.includes("--quick"), json: args.includes("--json") };
}

/** Of the values in order: the smallest of which at least that share is no larger. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

/** With `json` the last line of stdout is the one that programs read. */
export function report({ bench, figures, rows, columns, notes }: Result, { json }: BenchOptions): void {
  const [what = "", ...measures] = columns;
  const table: Column[] = [{ title: what }, ...measures.map((title) => ({ title, align: "right" as const }))];
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "processor"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`;
  const command = `npm run bench -- ${[bench, ...process.argv.slice(2)].join(" ")}`;
  console.error(`\n${renderTable(table, rows)}\n`);
  console.error(renderFacts([["machine", machine], ["command", command], ...notes]));
  if (json) console.log(JSON.stringify({ bench, ...figures }));
}
