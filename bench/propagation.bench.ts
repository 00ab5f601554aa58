/**
 * How long from fail2ban's action on one server until the address is in another server's kernel: the shipped programs, a
 * namespace each, mTLS between them, the coordinator's own Postgres with its durability on.
 *
 * One ban at a time, at moments that no timer of the programs is in step with. Both clocks are CLOCK_MONOTONIC.
 */
import { setTimeout as pause } from "node:timers/promises";
import { byAppend, byShell, type HandOff } from "./hand-off.ts";
import { benchOptions, quantile, report, round } from "./measured.ts";
import { perform } from "./perform.ts";
import { openStage } from "./stage.ts";
import { type EntryWatch, watchEntries } from "./watch-entry.ts";

const BANS = { full: 1_000, quick: 200 };
/** These are beside the figures: what the shell adds. */
const SHELL_BANS = { full: 200, quick: 60 };
/** Not counted: code that runs for the first time. */
const WARM_UP = 40;
const PAUSE_MS = { least: 15, most: 45 };
const DEADLINE_MS = 180_000;
const NS_A_MS = 1e6;

const options = benchOptions(process.argv.slice(2));
const size = options.quick ? "quick" : "full";

await perform(DEADLINE_MS, async (undo) => {
  const stage = await openStage(undo);
  const a = await stage.server("a", "20.40.0.11");
  const b = await stage.server("b", "20.40.0.12");
  await Promise.all([a.agent.start(), b.agent.start()]);
  const watch = await watchEntries(b.host, "fleetban-fleet-v4");
  const addresses = attackers();
  await measure(watch, byAppend(a.handoff), addresses, WARM_UP);
  const appended = await measure(watch, byAppend(a.handoff), addresses, BANS[size]);
  const typed = await measure(watch, byShell(a.handoff), addresses, SHELL_BANS[size]);
  const median = round(quantile(appended, 0.5));
  report(
    {
      bench: "propagation",
      figures: {
        min_ms: round(Math.min(...appended)),
        median_ms: median,
        p99_ms: round(quantile(appended, 0.99)),
      },
      columns: ["until in the other kernel, ms", "bans", "min", "median", "p90", "p99", "max"],
      rows: [
        ["from the append to the hand-off file", ...summary(appended)],
        ["from the start of the action's shell", ...summary(typed)],
      ],
      notes: [["the shell adds", `${round(quantile(typed, 0.5) - median)} ms to the median`]],
    },
    options,
  );
});

/** One after the other, each in the kernel before the next. */
async function measure(
  watch: EntryWatch,
  handOff: HandOff,
  addresses: Iterator<string, never>,
  bans: number,
): Promise<readonly number[]> {
  const tookMs: number[] = [];
  while (tookMs.length < bans) {
    const address = addresses.next().value;
    const { seenNs } = await watch.begin(address);
    const begunNs = await handOff(address);
    tookMs.push(Number((await seenNs) - begunNs) / NS_A_MS);
    await pause(PAUSE_MS.least + Math.random() * (PAUSE_MS.most - PAUSE_MS.least));
  }
  return tookMs;
}

function summary(tookMs: readonly number[]): (string | number)[] {
  const quantiles = [0.5, 0.9, 0.99].map((share) => quantile(tookMs, share));
  return [tookMs.length, ...[Math.min(...tookMs), ...quantiles, Math.max(...tookMs)].map((value) => value.toFixed(2))];
}

/** Distinct, globally routable, no two of one network. */
function* attackers(): Generator<string, never> {
  for (let number = 0; ; number += 1) yield `45.${80 + (number >> 8)}.${number & 255}.${1 + (number % 254)}`;
}
