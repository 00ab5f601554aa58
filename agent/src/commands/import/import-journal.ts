/**
 * When each address of a plain file was imported first: the same file imported again is the same ban, not another.
 *
 * Lines of jail, address and time, below the agent's data directory. After a month an address that still stands in the
 * file counts once more; the coordinator would refuse the old time by then.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "@fleetban/kit/drivers/atomic-file";
import type { Candidate } from "./candidate.ts";

const FILE = "imported";
const KEPT_MS = 29 * 86_400_000;
const PRIVATE = 0o600;

/** Gives each its time, and remembers the new ones before anybody is told of them. */
export async function withTimes(
  dataDir: string,
  candidates: readonly Candidate[],
  nowMs: number,
): Promise<readonly (Candidate & { readonly bannedAtMs: number })[]> {
  const path = join(dataDir, FILE);
  const times = await readTimes(path, nowMs);
  const before = times.size;
  const timed = candidates.map((candidate) => {
    if (candidate.bannedAtMs !== undefined) return { ...candidate, bannedAtMs: candidate.bannedAtMs };
    const key = JSON.stringify([candidate.jail, candidate.address]);
    const bannedAtMs = times.get(key) ?? nowMs;
    times.set(key, bannedAtMs);
    return { ...candidate, bannedAtMs };
  });
  if (times.size > before) {
    const lines = [...times].map(([key, atMs]) => `${atMs} ${key}\n`).join("");
    await writeFileAtomic(path, Buffer.from(lines), PRIVATE);
  }
  return timed;
}

async function readTimes(path: string, nowMs: number): Promise<Map<string, number>> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const times = new Map<string, number>();
  for (const line of text.split("\n")) {
    const blank = line.indexOf(" ");
    const atMs = Number(line.slice(0, blank));
    if (blank > 0 && atMs > nowMs - KEPT_MS && atMs <= nowMs) times.set(line.slice(blank + 1), atMs);
  }
  return times;
}
