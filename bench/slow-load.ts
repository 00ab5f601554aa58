/** An agent under a share of a core: fresh bans and a neighbour beside it, while it is idle and while a list comes. */
import { readFileSync } from "node:fs";
import { eventually } from "../test/support/fleet/eventually.ts";
import { type BanParts, tellBans } from "./slow-bans.ts";
import { type CpuLimit, limitCpu } from "./slow-cpu-limit.ts";
import { startNeighbour } from "./slow-neighbour.ts";

export interface SlowParts extends BanParts {
  readonly name: string;
  readonly share: number;
  /** A load lasts until so many are told, even where the list is in before. */
  readonly leastBans: number;
}

export interface Endured {
  readonly freshMs: readonly number[];
  readonly neighbourLateMs: readonly number[];
}

export interface Loaded extends Endured {
  /** From the Welcome until all of the list is in the kernel. */
  readonly loadMs: number;
  /** What the agent computed meanwhile. */
  readonly cpuMs: number;
}

const FEEDS = ["fleetban-feeds-v4", "fleetban-feeds-v6"];
const ONLINE = '"event":"link.online"';
const TOLD_WITHIN_MS = 60_000;
const LOADED_WITHIN_MS = 420_000;
const NS_A_MS = 1e6;
const MS_A_TICK = 10;

/** Enforcing, with nothing to load. */
export async function endureIdle(parts: SlowParts, bans: number): Promise<Endured> {
  await using limit = limitCpu(`${parts.name}-idle`, parts.share);
  return await enduring(parts, limit, async (told) => await until("bans are told", () => told() >= bans));
}

/** The agent is frozen, its connection is gone, and the coordinator has a list for it. */
export async function endureLoad(parts: SlowParts, listings: number): Promise<Loaded> {
  const { agent } = parts.server;
  const pid = agent.pid() ?? 0;
  await using limit = limitCpu(parts.name, parts.share);
  limit.add(pid);
  const loggedBefore = (await agent.log()).length;
  const filledNs = parts.watch.filled(FEEDS, listings);
  process.kill(pid, "SIGCONT");
  const begunAtMs = await eventually("the agent is connected again", async () => {
    const line = (await agent.log())
      .slice(loggedBefore)
      .split("\n")
      .find((text) => text.includes(ONLINE));
    return line !== undefined && Date.parse((JSON.parse(line) as { at: string }).at);
  });
  const begunNs = process.hrtime.bigint() - BigInt(Math.round((Date.now() - begunAtMs) * NS_A_MS));
  const cpuBefore = cpuMsOf(pid);
  let facts = { loadMs: Number.NaN, cpuMs: Number.NaN };
  const endured = await enduring(parts, limit, async (told) => {
    facts = {
      loadMs: Number((await withinMs(LOADED_WITHIN_MS, filledNs)) - begunNs) / NS_A_MS,
      cpuMs: cpuMsOf(pid) - cpuBefore,
    };
    await until("bans are told", () => told() >= parts.leastBans);
  });
  return { ...endured, ...facts };
}

async function enduring(
  parts: SlowParts,
  limit: CpuLimit,
  during: (told: () => number) => Promise<void>,
): Promise<Endured> {
  limit.add(parts.server.agent.pid() ?? 0);
  const neighbour = await startNeighbour(limit);
  const bans = tellBans(parts);
  await during(() => bans.told);
  const freshMs = await bans.end();
  return { freshMs, neighbourLateMs: await neighbour.end() };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  await eventually(what, holds, TOLD_WITHIN_MS);
}

async function withinMs<Value>(deadlineMs: number, promise: Promise<Value>): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`the list is not in after ${deadlineMs} ms`)), deadlineMs);
  return await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

/** User and system time of all its threads. */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MS_A_TICK;
}
