/** What recurs in this room, for the jobs to run: it does no harm when it runs twice. */
import type { Job } from "../jobs/jobs.ts";
import { type PacksParts, syncPacks } from "./sync-packs.ts";

const EVERY_MS = 60_000; // how often packs are compared with what the policy chooses

export function packsJobs(parts: PacksParts): readonly Job[] {
  return [{ name: "packs", everyMs: EVERY_MS, run: async (signal) => void (await syncPacks(parts, signal)) }];
}
