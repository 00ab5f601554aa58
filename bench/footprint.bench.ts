/**
 * What an agent weighs that is connected and idle, with real kernel sets, by how many listings it has; how long after its
 * start it is connected; and what the coordinator weighs.
 *
 * One agent is given longer and longer lists while it runs: what it has once needed it may keep. After each it is also
 * started anew, several times, with the lists that it finds on its disk.
 */
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../test/support/fleet/eventually.ts";
import { ABUSEIPDB, ABUSEIPDB_CONFIG, ABUSEIPDB_HOST, feedList } from "./abuseipdb.ts";
import { benchOptions, quantile, report, round } from "./measured.ts";
import { perform } from "./perform.ts";
import { descendantsOf, type Memory, memoryOf, steadyMemoryOf } from "./process-memory.ts";
import { openStage, type Server } from "./stage.ts";

const LISTINGS = [0, 10_000, 100_000] as const;
/** The figures with this many are those with an aim. */
const USUAL = 10_000;
const STARTS = { full: 11, quick: 3 };
/** Memory that is needed no longer is given back some seconds later. */
const STEADY_WITHIN_MS = { full: 45_000, quick: 3_000 };
const ENFORCED_WITHIN_MS = 60_000;
const PAUSE_MS = 300;
const DEADLINE_MS = 400_000;
const ONLINE = '"event":"link.online"';

const options = benchOptions(process.argv.slice(2));
const size = options.quick ? "quick" : "full";

interface Weighed {
  /** Of the agent to which the list came while it ran. */
  readonly grown: Memory;
  /** Of one that found it on its disk. */
  readonly anew: Memory;
  readonly startMs: readonly number[];
}

await perform(DEADLINE_MS, async (undo) => {
  const stage = await openStage(undo, { abuseipdb: ABUSEIPDB, config: ABUSEIPDB_CONFIG });
  const { coordinator } = stage;
  const abuseipdb = await stage.network.host(...ABUSEIPDB_HOST);
  const server = await stage.server("a", "20.40.0.11");
  await server.agent.start();
  const weighed = new Map<number, Weighed>();
  for (const listings of LISTINGS) {
    if (listings > 0) await feedList(abuseipdb, coordinator, listings);
    weighed.set(listings, await weigh(server, listings));
  }
  const coordinatorMemory = await steadyMemoryOf(pidOf(coordinator), STEADY_WITHIN_MS[size]);
  const postgresMb = descendantsOf(pidOf(coordinator)).reduce((sum, pid) => sum + memoryOf(pid).pssMb, 0);
  const of = (listings: number) => weighed.get(listings) as Weighed;
  report(
    {
      bench: "footprint",
      figures: {
        agent_rss_mb_0: round(of(0).grown.rssMb, 1),
        agent_rss_mb_10000: round(of(10_000).grown.rssMb, 1),
        agent_rss_mb_100000: round(of(100_000).grown.rssMb, 1),
        agent_anon_mb_10000: round(of(10_000).grown.anonMb, 1),
        agent_start_ms: round(quantile(of(USUAL).startMs, 0.5), 0),
        coordinator_rss_mb: round(coordinatorMemory.rssMb, 1),
      },
      columns: ["agent with", "RSS MB", "its own", "anew RSS", "its own", "start ms: min", "median", "max"],
      rows: LISTINGS.map((listings) => rowOf(listings, of(listings))),
      notes: [
        ["coordinator", `${coordinatorMemory.rssMb.toFixed(1)} MB RSS, ${coordinatorMemory.anonMb.toFixed(1)} its own`],
        ["its Postgres", `${postgresMb.toFixed(1)} MB, shared pages counted once`],
      ],
    },
    options,
  );
});

async function weigh(server: Server, listings: number): Promise<Weighed> {
  const { agent } = server;
  await untilEnforced(server, listings);
  const grown = await steadyMemoryOf(pidOf(agent), STEADY_WITHIN_MS[size]);
  const startMs: number[] = [];
  while (startMs.length < STARTS[size]) {
    await agent.stop();
    startMs.push(await startAnew(server));
    await pause(PAUSE_MS);
  }
  await untilEnforced(server, listings);
  return { grown, startMs, anew: await steadyMemoryOf(pidOf(agent), STEADY_WITHIN_MS[size]) };
}

/** Milliseconds from before the process is there until its first Welcome. */
async function startAnew({ agent }: Server): Promise<number> {
  const before = (await agent.log()).length;
  const begunAtMs = Date.now();
  agent.launch();
  const line = await eventually("the agent is connected", async () => {
    const lines = (await agent.log()).slice(before).split("\n");
    return lines.find((text) => text.includes(ONLINE));
  });
  return Date.parse((JSON.parse(line) as { at: string }).at) - begunAtMs;
}

async function untilEnforced({ agent }: Server, listings: number): Promise<void> {
  const isEnforced = async () => {
    const { lists, link } = await agent.status();
    const feeds = lists.find(({ name }) => name === "feeds");
    return link.kind === "online" && feeds?.kernelEntries === listings && feeds.enforcedRevision === feeds.revision;
  };
  await eventually(`the agent enforces ${listings} listings`, isEnforced, ENFORCED_WITHIN_MS);
}

function rowOf(listings: number, { grown, anew, startMs }: Weighed): readonly [string, ...(string | number)[]] {
  const sizes = [grown.rssMb, grown.anonMb, anew.rssMb, anew.anonMb].map((mb) => mb.toFixed(1));
  return [`${listings} listings`, ...sizes, Math.min(...startMs), quantile(startMs, 0.5), Math.max(...startMs)];
}

function pidOf(program: { pid(): number | undefined }): number {
  const pid = program.pid();
  if (pid === undefined) throw new Error("a program that is to be weighed has ended");
  return pid;
}
