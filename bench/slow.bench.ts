/**
 * An agent that has 10 % or 5 % of a core while a list is loaded: how long that takes, what fresh bans wait for meanwhile,
 * and how late another program under the same share wakes up. Beside it the same with the agent's pacing off, and what an
 * operator has without fleetban.
 *
 * Start-up is not in it: the agents run and are warm. Then they are frozen and lose their connections, the coordinator gets
 * a list, and one after the other goes on under its share of a core.
 */
import { ABUSEIPDB, ABUSEIPDB_CONFIG, ABUSEIPDB_HOST, feedList } from "./abuseipdb.ts";
import { benchOptions, quantile, report, round } from "./measured.ts";
import { perform } from "./perform.ts";
import { type Endured, endureIdle, endureLoad, type Loaded, type SlowParts } from "./slow-load.ts";
import { addedSingly, restored } from "./slow-naive.ts";
import { type KernelWatch, watchKernel } from "./slow-watch.ts";
import { openStage, type Server, type Stage } from "./stage.ts";

interface Variant {
  readonly name: string;
  readonly percent: 10 | 5;
  readonly isPaced: boolean;
}

interface Candidate extends Variant {
  readonly parts: SlowParts;
}

const PACED: readonly Variant[] = [
  { name: "a10", percent: 10, isPaced: true },
  { name: "a5", percent: 5, isPaced: true },
];
const UNPACED: readonly Variant[] = [
  { name: "u10", percent: 10, isPaced: false },
  { name: "u5", percent: 5, isPaced: false },
];
const VARIANTS = { full: [...PACED, ...UNPACED], quick: [...PACED, ...UNPACED.slice(0, 1)] };
const SIZES = { full: [10_000, 100_000], quick: [10_000] };
/** The figures with this many are those with an aim. */
const USUAL = 10_000;
const PACING_OFF = { "pace.target_ms": 10_000, "pace.cpu_permille": 1_000 };
/** A group of fresh bans this often on average at 10 %, half as often at 5 %. */
const EVERY_MS = 250;
const WARM_EVERY_MS = 20;
const WARM_BANS = { full: 400, quick: 200 };
/** Loaded before the list that is timed. */
const WARM_LISTINGS = 2_000;
/** The feed gives no more: of the longest list some are there before. */
const FEED_MOST = 100_000;
const IDLE_BANS = { full: 200, quick: 40 };
const LEAST_BANS = { full: 200, quick: 100 };
/** One process an address: measured so far, beyond it is arithmetic. */
const SINGLY = { full: 500, quick: 50 };
const DEADLINE_MS = 1_500_000;
const MS_A_SECOND = 1_000;

const options = benchOptions(process.argv.slice(2));
const size = options.quick ? "quick" : "full";
const rows: (readonly [string, ...(string | number)[]])[] = [];
const figures = new Map<string, number>();

await perform(DEADLINE_MS, async (undo) => {
  for (const listings of SIZES[size]) await loadAll(undo, listings);
  for (const { percent } of size === "full" ? PACED : PACED.slice(0, 1)) await naive(percent);
  const named = [...figures.keys()].sort((a, b) => a.localeCompare(b));
  report(
    {
      bench: "slow",
      figures: Object.fromEntries(named.map((name) => [name, figures.get(name) ?? Number.NaN])),
      columns: [
        "share of a core",
        "listings",
        "loaded, s",
        "CPU s",
        "fresh bans, ms: p50",
        "p99",
        "max",
        "neighbour late, ms: p50",
        "p99",
      ],
      rows,
      notes: [
        [
          "fresh bans",
          `half by hand-off on the server itself, half as deltas, ten at a time, at least ${LEAST_BANS[size]} a load`,
        ],
      ],
    },
    options,
  );
});

async function loadAll(undo: AsyncDisposableStack, listings: number): Promise<void> {
  await using ended = undo.use(new AsyncDisposableStack());
  const stage = await openStage(ended, { abuseipdb: ABUSEIPDB, config: ABUSEIPDB_CONFIG });
  const abuseipdb = await stage.network.host(...ABUSEIPDB_HOST);
  const candidates = await openCandidates(stage);
  await feedList(abuseipdb, stage.coordinator, WARM_LISTINGS);
  for (const { parts } of candidates) {
    await endureIdle({ ...parts, name: `${parts.name}-warm`, share: 1, everyMs: WARM_EVERY_MS }, WARM_BANS[size]);
  }
  if (listings === USUAL) {
    for (const one of candidates) if (one.isPaced) tellIdle(one, await endureIdle(one.parts, IDLE_BANS[size]));
  }
  for (const { parts } of candidates) process.kill(parts.server.agent.pid() ?? 0, "SIGSTOP");
  await stage.coordinator.kill9();
  await stage.coordinator.start();
  const all = Math.min(WARM_LISTINGS + listings, FEED_MOST);
  await feedList(abuseipdb, stage.coordinator, all);
  for (const one of candidates) {
    tellLoaded(one, listings, await endureLoad(one.parts, all));
    await one.parts.server.agent.kill9(); // it would have its share of the next one's deltas
  }
}

async function openCandidates(stage: Stage): Promise<readonly Candidate[]> {
  const other = await started(await stage.server("other", "20.40.0.40"));
  const addresses = attackers();
  return await Promise.all(
    VARIANTS[size].map(async (variant, index) => {
      const config = variant.isPaced ? {} : PACING_OFF;
      const { server, watch } = await started(await stage.server(variant.name, `20.40.0.${41 + index}`, config));
      const share = variant.percent / 100;
      const everyMs = (EVERY_MS * 10) / variant.percent;
      return {
        ...variant,
        parts: { name: variant.name, share, server, watch, other, addresses, everyMs, leastBans: LEAST_BANS[size] },
      };
    }),
  );
}

async function started(server: Server): Promise<{ readonly server: Server; readonly watch: KernelWatch }> {
  await server.agent.start();
  return { server, watch: await watchKernel(server.host) };
}

async function naive(percent: number): Promise<void> {
  const share = percent / 100;
  const listings = size === "full" ? 100_000 : USUAL;
  const stock = await restored(share, listings);
  tell(`${percent} %, ipset restore`, listings, stock.loadMs, "", [], stock.neighbourLateMs);
  const one = await addedSingly(share, SINGLY[size]);
  const singly = `${percent} %, one ipset add an address`;
  tell(singly, SINGLY[size], one.loadMs, "", [], one.neighbourLateMs);
  tell(`${singly} (extrapolated)`, USUAL, (one.loadMs * USUAL) / SINGLY[size], "", [], []);
}

function tellIdle({ percent }: Candidate, { freshMs, neighbourLateMs }: Endured): void {
  tell(`${percent} %, nothing to load`, 0, Number.NaN, "", freshMs, neighbourLateMs);
  figures.set(`fresh_p99_ms_${percent}_idle`, round(quantile(freshMs, 0.99), 1));
  figures.set(`neighbour_p99_ms_${percent}_idle`, round(quantile(neighbourLateMs, 0.99), 1));
}

function tellLoaded({ percent, isPaced }: Candidate, listings: number, loaded: Loaded): void {
  const { loadMs, cpuMs, freshMs, neighbourLateMs } = loaded;
  const how = isPaced ? "" : ", pacing off";
  tell(`${percent} %${how}`, listings, loadMs, (cpuMs / MS_A_SECOND).toFixed(2), freshMs, neighbourLateMs);
  const suffix = `${percent}${isPaced ? "" : "_unpaced"}${listings === USUAL ? "" : `_${listings}`}`;
  figures.set(`fresh_p50_ms_${suffix}`, round(quantile(freshMs, 0.5), 1));
  figures.set(`fresh_p99_ms_${suffix}`, round(quantile(freshMs, 0.99), 1));
  figures.set(`load_s_${suffix}`, round(loadMs / MS_A_SECOND));
  figures.set(`neighbour_p99_ms_${suffix}`, round(quantile(neighbourLateMs, 0.99), 1));
}

function tell(
  what: string,
  listings: number,
  loadMs: number,
  cpu: string,
  freshMs: readonly number[],
  lateMs: readonly number[],
): void {
  const fresh = [quantile(freshMs, 0.5), quantile(freshMs, 0.99), Math.max(...freshMs)];
  const cells = [loadMs / MS_A_SECOND, ...fresh, quantile(lateMs, 0.5), quantile(lateMs, 0.99)];
  const [load = "", ...rest] = cells.map((value) => (Number.isFinite(value) ? value.toFixed(1) : ""));
  rows.push([what, listings, load, cpu, ...rest]);
}

/** Distinct, globally routable, no two of one network. */
function* attackers(): Generator<string, never> {
  for (let number = 0; ; number += 1) yield `45.${80 + (number >> 8)}.${number & 255}.${1 + (number % 254)}`;
}
