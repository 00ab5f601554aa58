/** A fake AbuseIPDB on a host of the bench's network, with a list as long as one wants. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { SUBSCRIBER_KEY } from "../test/support/fake-abuseipdb.ts";
import { CliError } from "../test/support/fleet/cli.ts";
import type { FleetCoordinator } from "../test/support/fleet/coordinator.ts";
import type { Host } from "../test/support/fleet/host.ts";

const PROGRAM = join(import.meta.dirname, "../test/support/fake-abuseipdb.main.ts");
const ADDRESS = "104.26.12.38";
const PORT = 8_080;

/** For coordinator.yaml. */
export const ABUSEIPDB = { url: `http://${ADDRESS}:${PORT}/api/v2`, key: SUBSCRIBER_KEY };
export const ABUSEIPDB_CONFIG = {
  "feeds.abuseipdb.calls_per_day": 100,
  "feeds.abuseipdb.calls_kept": 50,
};
export const ABUSEIPDB_HOST = ["abuseipdb", [ADDRESS]] as const;

const WITHIN_MS = 120_000;
const WAITS_FOR_AN_OPERATOR = 3;

/** Has the coordinator fetch a list of that many, and says yes where its brakes ask. */
export async function feedList(host: Host, coordinator: FleetCoordinator, entries: number): Promise<void> {
  const args = [PROGRAM, "--host", ADDRESS, "--port", String(PORT), "--entries", String(entries)];
  const fake = host.spawn(process.execPath, [...args, "--key", `${SUBSCRIBER_KEY}=basic`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (fake.stdout === null) throw new Error("the fake AbuseIPDB has no output");
  await once(createInterface({ input: fake.stdout }), "line");
  await wantLongLists(coordinator);
  await fetchNow(coordinator);
  const holds = await coordinator.cli<readonly { hold_no: number }[]>(["holds", "list"]);
  for (const { hold_no } of holds) await coordinator.cli(["holds", "approve", String(hold_no), "--reason", "bench"]);
  await host.stop(fake);
}

/** How long a list may be is the policy's to say. */
async function wantLongLists(coordinator: FleetCoordinator): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "fb-policy-"));
  const file = join(dir, "policy.yaml");
  await writeFile(file, "feeds:\n  abuseipdb:\n    limit: 100000\n");
  await coordinator.cli(["policy", "apply", file, "--yes", "--reason", "bench"]);
  await rm(dir, { recursive: true });
}

/** A policy that was applied begins a turn by itself; what is asked meanwhile is told that the feed is busy. */
async function fetchNow(coordinator: FleetCoordinator): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + WITHIN_MS;
  for (;;) {
    if ((await outcomeOfFetch(coordinator)) !== "busy") return;
    if (systemClock.monotonicMs() > deadlineMs) throw new Error("the feed was busy all the time");
    await systemClock.sleep(200);
  }
}

/** A list that is held for an operator's word is no failure here: it is given. */
async function outcomeOfFetch(coordinator: FleetCoordinator): Promise<string> {
  try {
    return (await coordinator.cli<{ readonly outcome: string }>(["feeds", "fetch", "abuseipdb"])).outcome;
  } catch (error) {
    if (error instanceof CliError && error.exitCode === WAITS_FOR_AN_OPERATOR) return "held";
    throw error;
  }
}
