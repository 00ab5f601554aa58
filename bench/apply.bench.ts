/**
 * How long a list takes from its bytes to the kernel, beside what an operator has without fleetban: `ipset restore` alone,
 * and one process an address.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AppliedList } from "./applied-list.ts";
import { loadByBouncer, loadByFirewalld, type PeerLoad } from "./apply-peers.ts";
import { madeUpPrefixes } from "./listings.ts";
import { benchOptions, quantile, report, round } from "./measured.ts";
import { perform } from "./perform.ts";

const SIZES = { full: [4_000, 10_000, 100_000, 1_000_000], quick: [4_000, 10_000, 100_000, 1_000_000] } as const;
const RUNS = { full: 5, quick: 2 };
/** Of the sizes up to here one run says little. */
const SMALL = 100_000;
const SMALL_RUNS = { full: 9, quick: 3 };
/** One process an address: measured so far, beyond it is arithmetic. */
const SINGLY = { full: 4_000, quick: 500 };
const DEADLINE_MS = 600_000;
const MS_A_SECOND = 1_000;
const LEASE_SECONDS = 604_800;
const PROGRAM = join(import.meta.dirname, "apply-list.main.ts");
/** Bash's own stopwatch: wall, user and system seconds. */
const TIMED = "TIMEFORMAT='%R %U %S'; time ";

const SINGLE_COMMANDS = [
  [
    "one ipset add an address",
    `ipset create fb hash:net timeout 0 maxelem 65536; ${TIMED} while read a; do ipset add fb $a; done`,
  ],
  ["one iptables -I an address", `${TIMED} while read a; do iptables -I INPUT -s $a -j DROP; done`],
] as const;

const PEERS = [
  ["firewalld --add-entries-from-file", loadByFirewalld],
  ["CrowdSec's firewall bouncer", loadByBouncer],
] as const;
const PEER_LISTINGS = { full: 4_000, quick: 1_000 };

interface Timed {
  readonly tookMs: number;
  readonly cpuMs: number;
}

const options = benchOptions(process.argv.slice(2));
const size = options.quick ? "quick" : "full";

await perform(DEADLINE_MS, async (undo) => {
  const folder = mkdtempSync(join(tmpdir(), "fb-bench-"));
  undo.defer(async () => rmSync(folder, { recursive: true, force: true }));
  const rows: [string, ...(string | number)[]][] = [];
  const ratios = new Map<number, number>();
  let windowMs = 0;
  for (const listings of SIZES[size]) {
    const [ours, stock] = [await applied(folder, listings), restored(folder, listings)];
    const ratio = ours.tookMs / stock.tookMs;
    ratios.set(listings, round(ratio));
    windowMs = Math.max(windowMs, ours.windowMs);
    rows.push([
      `${listings} by the agent`,
      ...secondsOf(ours),
      ratio.toFixed(2),
      (ours.refreshMs / MS_A_SECOND).toFixed(3),
    ]);
    rows.push([`${listings} by ipset restore`, ...secondsOf(stock), "1", ""]);
  }
  for (const [name, command] of SINGLE_COMMANDS) {
    const one = singly(SINGLY[size], command);
    rows.push([`${SINGLY[size]} by ${name}`, ...secondsOf(one), "", ""]);
    const scale = 100_000 / SINGLY[size];
    rows.push([
      `100000 by ${name} (extrapolated)`,
      ...secondsOf({ tookMs: one.tookMs * scale, cpuMs: one.cpuMs * scale }),
      "",
      "",
    ]);
  }
  for (const [name, load] of PEERS) rows.push(...peerRows(name, await load(PEER_LISTINGS[size]), PEER_LISTINGS[size]));
  report(
    {
      bench: "apply",
      figures: {
        ratio_4000: ratios.get(4_000) ?? Number.NaN,
        ratio_10000: ratios.get(10_000) ?? Number.NaN,
        ratio_100000: ratios.get(100_000) ?? Number.NaN,
        ratio_1000000: ratios.get(1_000_000) ?? Number.NaN,
        window_ms: round(windowMs),
      },
      columns: ["listings", "seconds", "CPU seconds", "ratio", "refresh, seconds"],
      rows,
      notes: [
        ["window", `${round(windowMs)} ms in which a listed address would have been let in, asked without a pause`],
      ],
    },
    options,
  );
});

/** What is in the kernel when it is done is told where that is not all. */
function peerRows(name: string, load: PeerLoad | undefined, listings: number): [string, ...(string | number)[]][] {
  if (load === undefined) return [[`${name}: not installed`, "", "", "", ""]];
  const { tookMs, entries } = load;
  const lacks = entries === listings ? "" : `, ${listings - entries} missing`;
  const seconds = (ms: number) => (ms / MS_A_SECOND).toFixed(3);
  return [
    [`${listings} by ${name}${lacks}`, seconds(tookMs), "", "", ""],
    [`100000 by ${name} (extrapolated)`, seconds((tookMs * 100_000) / listings), "", "", ""],
  ];
}

/** A new process each time, as after a start of the agent. */
async function applied(folder: string, listings: number): Promise<AppliedList> {
  const runs: AppliedList[] = [];
  for (let run = 0; run < runsOf(listings); run += 1) {
    const files = mkdtempSync(join(folder, "run-"));
    const text = execFileSync(process.execPath, [PROGRAM, String(listings), files], { encoding: "utf8" });
    runs.push(JSON.parse(text) as AppliedList);
    rmSync(files, { recursive: true });
  }
  const median = (value: (run: AppliedList) => number) => quantile(runs.map(value), 0.5);
  return {
    tookMs: median(({ tookMs }) => tookMs),
    cpuMs: median(({ cpuMs }) => cpuMs),
    refreshMs: median(({ refreshMs }) => refreshMs),
    windowMs: Math.max(...runs.map((run) => run.windowMs)),
    asked: runs.reduce((sum, { asked }) => sum + asked, 0),
  };
}

/** Into a set like ours, made large enough beforehand. */
function restored(folder: string, listings: number): Timed {
  const file = join(folder, `restore-${listings}`);
  const options = `family inet hashsize ${hashSize(listings)} maxelem ${listings} timeout 0 counters`;
  const adds = madeUpPrefixes(listings, 1).map((prefix) => `add fb ${prefix} timeout ${LEASE_SECONDS}`);
  writeFileSync(file, `create fb hash:net ${options}\n${adds.join("\n")}\n`);
  const runs = Array.from({ length: runsOf(listings) }, () => timed(`ipset restore -file ${file}`));
  return {
    tookMs: quantile(
      runs.map(({ tookMs }) => tookMs),
      0.5,
    ),
    cpuMs: quantile(
      runs.map(({ cpuMs }) => cpuMs),
      0.5,
    ),
  };
}

function singly(listings: number, command: string): Timed {
  return timed(command, madeUpPrefixes(listings, 2).join("\n"), "");
}

/** In a network namespace that ends with the command. */
function timed(command: string, input = "", stopwatch = TIMED): Timed {
  const { stderr, status } = spawnSync("unshare", ["-n", "bash", "-c", `${stopwatch}${command}`], {
    input: `${input}\n`,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
  const [real = 0, user = 0, system = 0] = (stderr.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  return { tookMs: real * MS_A_SECOND, cpuMs: (user + system) * MS_A_SECOND };
}

function runsOf(listings: number): number {
  return listings <= SMALL ? SMALL_RUNS[size] : RUNS[size];
}

function hashSize(listings: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(64, listings / 2)));
}

function secondsOf({ tookMs, cpuMs }: Timed): [string, string] {
  return [(tookMs / MS_A_SECOND).toFixed(3), (cpuMs / MS_A_SECOND).toFixed(3)];
}
