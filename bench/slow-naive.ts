/** What an operator has without fleetban, under the same share of a core: `ipset restore`, and one process an address. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { madeUpPrefixes } from "./listings.ts";
import { type CpuLimit, limitCpu } from "./slow-cpu-limit.ts";
import { startNeighbour } from "./slow-neighbour.ts";

export interface Naive {
  readonly loadMs: number;
  readonly neighbourLateMs: readonly number[];
}

const CREATE = "create fb hash:net family inet maxelem 1048576 timeout 0 counters";
const LEASE_SECONDS = 604_800;
const SINGLY = 'while read a; do ipset add fb "$a"; done';

export async function restored(share: number, listings: number): Promise<Naive> {
  const adds = madeUpPrefixes(listings, 1).map((prefix) => `add fb ${prefix} timeout ${LEASE_SECONDS}`);
  const hashSize = 2 ** Math.ceil(Math.log2(listings / 2));
  return await endured(share, "ipset restore", [`${CREATE} hashsize ${hashSize}`, ...adds]);
}

export async function addedSingly(share: number, listings: number): Promise<Naive> {
  return await endured(share, `ipset ${CREATE}; ${SINGLY}`, madeUpPrefixes(listings, 2));
}

/** In a network namespace that ends with the command; the shell waits for its input while it is put under the limit. */
async function endured(share: number, command: string, lines: readonly string[]): Promise<Naive> {
  await using limit: CpuLimit = limitCpu("naive", share);
  const child = spawn("unshare", ["-n", "sh", "-c", `read go; ${command}`], { stdio: ["pipe", "ignore", "inherit"] });
  limit.add(child.pid ?? 0);
  const neighbour = await startNeighbour(limit);
  const begunMs = performance.now();
  child.stdin.end(["go", ...lines, ""].join("\n"));
  const [exitCode] = (await once(child, "exit")) as [number | null];
  const loadMs = performance.now() - begunMs;
  if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode}`);
  return { loadMs, neighbourLateMs: await neighbour.end() };
}
