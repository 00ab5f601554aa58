/** What all benchmarks print alike: a table for people, one line of JSON for programs, the machine they ran on. */
import { cpus, release, totalmem } from "node:os";
import { renderFacts } from "@fleetban/kit/cli-output";

export interface BenchOptions {
  readonly quick: boolean;
  readonly json: boolean;
}

export function benchOptions(args: readonly string[]): BenchOptions {
  return { quick: args.includes("--quick"), json: args.includes("--json") };
}

export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

/** People get everything; with `--json` the last line is the one that programs read. */
export function report(
  bench: string,
  figures: Readonly<Record<string, number | string>>,
  { json }: BenchOptions,
): void {
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "processor"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`;
  const command = `npm run bench -- ${[bench, ...process.argv.slice(2)].join(" ")}`;
  console.error(renderFacts([["machine", machine], ["command", command], ...Object.entries(figures)]));
  if (json) console.log(JSON.stringify({ bench, ...figures }));
}
