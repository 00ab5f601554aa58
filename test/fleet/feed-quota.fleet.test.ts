/**
 * The whole coordinator and its feed over kill -9 of coordinator and Redis, with jobs on Redis and on the timer: what the
 * publisher counts is never a sixth call in a UTC day.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { madeUpEntries } from "../support/fake-abuseipdb/entries.ts";
import { type FleetAbuseIpdb, startAbuseIpdb } from "../support/fleet/abuseipdb.ts";
import type { FleetCoordinator } from "../support/fleet/coordinator.ts";
import { eventually } from "../support/fleet/eventually.ts";
import { withLedgerSql } from "../support/fleet/ledger-sql.ts";
import { needs } from "../support/fleet/needs.ts";
import { openFleet } from "../support/fleet/open-fleet.ts";
import { createTestRedis, redisMissing, type TestRedis } from "../support/redis.ts";

const ROUNDS = 4;
const CALLS_A_DAY = 5; // of the free plan

for (const jobs of ["timer", "redis"] as const) {
  const skip = needs() || (jobs === "redis" && redisMissing);

  test(`never a sixth call in a day, whatever is killed when (jobs on ${jobs})`, { skip }, async (t) => {
    const redis = jobs === "redis" ? await startRedis(t) : undefined;
    let abuseipdb: FleetAbuseIpdb | undefined;
    await using fleet = await openFleet({
      async coordinator(network, dir) {
        const addresses = madeUpEntries(500).map(({ ipAddress }) => ipAddress);
        abuseipdb = await startAbuseIpdb(network, dir, addresses);
        await abuseipdb.inject({ kind: "status", status: 503 }, 1);
        await abuseipdb.inject({ kind: "silence", silenceMs: 5_000 }, 2); // killed while the call is under way
        return { ...abuseipdb.options, ...(redis === undefined ? {} : { redisUrl: redis.url }) };
      },
    });
    const { coordinator } = fleet;
    assert.equal((await coordinator.cli<{ jobs: string }>(["status"])).jobs, jobs);
    const publisher = abuseipdb!;
    for (let round = 0; round < ROUNDS; round += 1) {
      await callOnceMore(coordinator, publisher);
      await hurry(coordinator);
      await Promise.all([coordinator.kill9(), round % 2 === 0 ? redis?.kill() : undefined]);
      if (round % 2 === 0) await redis?.start();
      await coordinator.start(); // the feed is due: its job calls as well
    }
    await eventually(
      "every call is used up",
      async () => {
        await hurry(coordinator);
        return (await fetchByHand(coordinator)).startsWith("quota-exhausted");
      },
      120_000,
    );
    const { calls, mostInADay } = await publisher.calls();
    assert.equal(mostInADay, CALLS_A_DAY);
    assert.ok(calls >= CALLS_A_DAY);
  });
}

/** Asks by hand until the publisher has one call more, or there is none left; the last call may still be under way. */
async function callOnceMore(coordinator: FleetCoordinator, publisher: FleetAbuseIpdb): Promise<void> {
  const { calls } = await publisher.calls();
  let isAsking = false;
  let outcome = "";
  const ask = async () => {
    isAsking = true;
    outcome = await hurry(coordinator)
      .then(() => fetchByHand(coordinator))
      .catch(() => "killed before it was answered");
    isAsking = false;
  };
  const isDone = async () => {
    if (!isAsking) void ask(); // it never rejects, and ends with the coordinator
    return outcome.startsWith("quota-exhausted") || (await publisher.calls()).calls > calls;
  };
  await eventually("one call more, or none left", isDone, 120_000);
}

async function fetchByHand(coordinator: FleetCoordinator): Promise<string> {
  return (await coordinator.cli<{ outcome: string }>(["feeds", "fetch", "abuseipdb"])).outcome;
}

/** As if all leases had run out and every feed were due: the hours that a test can't wait. */
async function hurry(coordinator: FleetCoordinator): Promise<void> {
  await withLedgerSql(coordinator, async (sql) => {
    await sql`update feeds set next_at = clock_timestamp() - interval '1 minute',
      leased_until = least(leased_until, clock_timestamp() - interval '1 minute')`;
  });
}

async function startRedis(t: TestContext): Promise<TestRedis> {
  const redis = await createTestRedis(t);
  await redis.start();
  return redis;
}
