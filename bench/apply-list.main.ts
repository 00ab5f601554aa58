/**
 * In a network namespace of its own: a list comes as the bytes of a snapshot and is enforced by the agent's firewall with
 * its pacing off; then another one replaces it while a listed address is asked for.
 *
 * `node bench/apply-list.main.ts LISTINGS FOLDER` prints an `AppliedList` as one line of JSON.
 */
import { ms } from "@fleetban/kit/clock";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { createTurns } from "@fleetban/kit/turns";
import { decodeSnapshotBody, encodeSnapshotBody } from "@fleetban/proto/wire/snapshot";
import { FEEDS, FLEET, heldFixture, KEY } from "../agent/src/mirror/mirror.fixture.ts";
import { enterFreshNetns } from "../test/support/netns.ts";
import type { AppliedList } from "./applied-list.ts";
import { openKernelFirewall } from "./firewall-on-kernel.ts";
import { listingOf, madeUpPrefixes } from "./listings.ts";
import { watchGap } from "./watch-gap.ts";

const NO_PACING = { minEntries: 2_048, maxEntries: 2_048, stepEntries: 1, targetMs: ms(60_000), cpuShare: 1 };
/** Part of the second snapshot that is new. */
const RENEWED = 0.1;
const WARM_UP = 50_000;
const US_A_MS = 1_000;

const [countText, folder = ""] = process.argv.slice(2);
const count = Number(countText);
const skip = enterFreshNetns();
if (skip !== false) throw new Error(skip);

const renewed = Math.round(count * RENEWED);
const all = madeUpPrefixes(count + renewed, 1);
const first = await snapshotOf(all.slice(0, count));
const second = await snapshotOf(all.slice(-count));
const { firewall, enforce } = await openKernelFirewall(NO_PACING, folder);

// An agent that has run for a while: code that runs for the first time is several times slower.
await enforce(FLEET, heldFixture(FLEET.list, madeUpPrefixes(WARM_UP, 2).map(listingOf)).blocklist);
const loaded = await timed(async () => await enforce(FEEDS, await decoded(first)));
const gap = await watchGap("fleetban-feeds-v4", all[count - 1] ?? "");
const refreshed = await timed(async () => await enforce(FEEDS, await decoded(second)));
const { longestMs, asked } = await gap.end();
const entries = firewall.applied(FEEDS.list)?.kernelEntries ?? 0;
if (entries !== count) throw new Error(`${entries} entries where ${count} are listed`);
const result: AppliedList = { ...loaded, refreshMs: refreshed.tookMs, windowMs: longestMs, asked };
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

async function snapshotOf(prefixes: typeof all) {
  const { blocklist } = heldFixture(FEEDS.list, prefixes.map(listingOf));
  return { ...(await encodeSnapshotBody(blocklist)), listings: blocklist.size, digest: blocklist.digest };
}

async function decoded(snapshot: Awaited<ReturnType<typeof snapshotOf>>) {
  const { body, ...expected } = snapshot;
  return await decodeSnapshotBody(body, { ...expected, list: FEEDS.list, key: KEY }, createTurns(systemClock));
}

async function timed(act: () => Promise<void>): Promise<{ readonly tookMs: number; readonly cpuMs: number }> {
  const [beganMs, cpu] = [performance.now(), process.cpuUsage()];
  await act();
  const { user, system } = process.cpuUsage(cpu);
  return { tookMs: performance.now() - beganMs, cpuMs: (user + system) / US_A_MS };
}
