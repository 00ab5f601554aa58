/** Feeds over kill -9 of coordinator and Redis, on both drivers of jobs: what is counted is counted at the fake publisher. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { LIST_FEEDS } from "@fleetban/proto/model/listing";
import { madeUpEntries } from "../../../test/support/fake-abuseipdb/entries.ts";
import { startFakeAbuseIpdb } from "../../../test/support/fake-abuseipdb.ts";
import { createTestRedis, redisMissing, type TestRedis } from "../../../test/support/redis.ts";
import { until } from "../../../test/support/until.ts";
import type { Store } from "../store/store.ts";
import { beforeClose, createTestDatabase } from "../store/test-database.ts";
import { feedAt } from "./feeds.fixture.ts";
import type { Places } from "./feeds-process.fixture.ts";

const PROGRAM = new URL("./feeds-process.fixture.ts", import.meta.url).pathname;
const CALLS_PER_DAY = 5;
/** With the quota used up, and before it must be. */
const ROUNDS_AFTER = 3;
const ROUNDS_MAX = 25;

for (const driver of ["timer", "redis"] as const) {
  const options = { skip: driver === "redis" ? redisMissing : false };

  test(`never a sixth call in a UTC day, whatever is killed when (jobs on ${driver})`, options, async (t) => {
    const fake = await startFakeAbuseIpdb({ entries: madeUpEntries(200) });
    t.after(() => fake.close());
    fake.inject({ kind: "silence", silenceMs: 300 }, 1); // killed while the call is under way
    fake.inject({ kind: "reset" }, 1);
    fake.inject({ kind: "status", status: 503 });
    const { store } = await createTestDatabase(t);
    const redis = driver === "redis" ? await startRedis(t) : undefined;
    const places = await placesFor(store, feedAt(fake.url), redis, true);
    for (let round = 0, tempted = 0; tempted < ROUNDS_AFTER; round += 1) {
      assert.ok(round < ROUNDS_MAX, "the quota was not used up: nothing was tried");
      if ((await booked(store)) === CALLS_PER_DAY) tempted += 1;
      const seen = fake.calls("blacklist").length;
      const pair = [startProcess(t, store, places), startProcess(t, store, places)] as const;
      await until("both have had their turns", async () => {
        await hurry(store);
        const isCalled = fake.calls("blacklist").length > seen;
        return isCalled || pair[0].turns() + pair[1].turns() >= 10;
      });
      if (round % 2 === 0) await redis?.kill();
      await Promise.all(pair.map((one) => one.kill()));
      if (round % 2 === 0) await redis?.start();
      assert.ok(fake.mostCallsInADay("blacklist") <= CALLS_PER_DAY, `${fake.calls("blacklist").length} calls`);
    }
    // A call that was booked by a run that was killed before it asked is lost; one that was made was always booked.
    const calls = fake.calls("blacklist");
    assert.ok(calls.length >= 2 && calls.every(({ status }) => status !== 429), `${calls.length} calls`);
  });

  test(
    `a list that a kill left half listed is finished without another call (jobs on ${driver})`,
    options,
    async (t) => {
      const fake = await startFakeAbuseIpdb({ entries: madeUpEntries(10_000) });
      t.after(() => fake.close());
      const { store } = await createTestDatabase(t);
      const redis = driver === "redis" ? await startRedis(t) : undefined;
      const places = await placesFor(store, feedAt(fake.url), redis, false);
      await slowDown(store); // so that the kill comes between two slices, however busy the machine is
      const first = startProcess(t, store, places);
      await until("the first slice is listed", async () => (await listed(store)) > 0);
      await first.kill();
      await store.sql`drop trigger slow on changes`;
      await redis?.kill();
      const half = await listed(store);
      assert.ok(half > 0 && half < 10_000, `${half} were listed at the kill`);
      await redis?.start();
      await expireLeases(store); // the killed one's; the next one keeps its own
      startProcess(t, store, places);
      await until("all is listed", async () => (await listed(store)) === 10_000, 60_000);
      assert.equal(fake.calls("blacklist").length, 1);
    },
  );
}

interface CoordinatorProcess {
  turns(): number;
  kill(): Promise<void>;
}

function startProcess(t: TestContext, store: Store, places: Places): CoordinatorProcess {
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, JSON.stringify(places)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let turns = 0;
  let complaint = "";
  createInterface({ input: child.stdout! }).on("line", (line) => {
    if (line !== "ready") turns += 1;
  });
  child.stderr!.on("data", (text) => {
    complaint = `${complaint}${text}`.slice(-4_000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      if (signal !== "SIGKILL") t.diagnostic(`ended by itself (${code}): ${complaint}`);
      resolve();
    });
  });
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  beforeClose(store, kill);
  return { turns: () => turns, kill };
}

async function startRedis(t: TestContext): Promise<TestRedis> {
  const redis = await createTestRedis(t);
  await redis.start();
  return redis;
}

async function placesFor(
  store: Store,
  feed: Places["feed"],
  redis: TestRedis | undefined,
  isPushy: boolean,
): Promise<Places> {
  const [row] = await store.sql<{ folder: string; database: string }[]>`
    select trim(both '"' from current_setting('unix_socket_directories')) as folder, current_database() as database`;
  const jobs = redis === undefined ? {} : { redisUrl: redis.url };
  return { socketFolder: row!.folder, database: row!.database, feed, isPushy, ...jobs };
}

/** Each slice takes two seconds more. */
async function slowDown(store: Store): Promise<void> {
  await store.sql.unsafe(`
    create function wait() returns trigger language plpgsql as 'begin perform pg_sleep(2); return null; end';
    create trigger slow after insert on changes for each statement execute function wait()`);
}

/** As if all leases had run out and every feed were due: the hours that a test can't wait. */
async function hurry(store: Store): Promise<void> {
  await expireLeases(store);
  await store.sql`update feeds set next_at = clock_timestamp() - interval '1 minute'`;
}

async function expireLeases(store: Store): Promise<void> {
  await store.sql`
    update feeds set leased_until = clock_timestamp() - interval '1 minute' where leased_until is not null`;
}

async function booked(store: Store): Promise<number> {
  const [row] = await store.sql<
    { calls: number | null }[]
  >`select jsonb_array_length(quota -> 'calls') as calls from feeds`;
  return row?.calls ?? 0;
}

async function listed(store: Store): Promise<number> {
  const [row] = await store.sql<{ count: number }[]>`
    select count(*)::int as count from listings where list_no = ${LIST_FEEDS}`;
  return row?.count ?? 0;
}
