import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { createTestRedis, redisMissing } from "../../../test/support/redis.ts";
import { until } from "../../../test/support/until.ts";
import { startBullJobs } from "./bullmq.ts";
import type { Jobs } from "./jobs.ts";

const EVERY_MS = 300;

test("of two replicas one runs each turn", { skip: redisMissing }, async (t) => {
  const redis = await createTestRedis(t);
  await redis.start();
  const turns: string[] = [];
  const one = startReplica(t, redis.url, () => turns.push("one"));
  const other = startReplica(t, redis.url, () => turns.push("other"));
  const begunMs = performance.now();
  await until("eight turns", () => turns.length >= 8);
  const ranMs = performance.now() - begunMs;
  assert.ok(turns.length <= ranMs / EVERY_MS + 3, `${turns.length} turns in ${ranMs} ms`);
  await Promise.all([one.close(), other.close()]);
});

test("a Redis that was killed and came back empty is scheduled anew by itself", { skip: redisMissing }, async (t) => {
  const redis = await createTestRedis(t);
  await redis.start();
  let turns = 0;
  const jobs = startReplica(t, redis.url, () => {
    turns += 1;
  });
  for (let round = 0; round < 3; round += 1) {
    const before = turns;
    await until(`turns in round ${round}`, () => turns >= before + 2);
    await redis.kill();
    await redis.start();
  }
  const before = turns;
  await until("turns at last", () => turns >= before + 2);
  await jobs.close();
});

test("without Redis the coordinator starts, is told of it, and heals when Redis comes", {
  skip: redisMissing,
}, async (t) => {
  const redis = await createTestRedis(t);
  const turns: number[] = [];
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const jobs = startReplica(t, redis.url, () => turns.push(nowMs), clock);
  assert.deepEqual(jobs.warnables(), []);
  nowMs = 11_000;
  assert.deepEqual(jobs.warnables(), ["redis-unreachable"]);
  assert.equal(turns.length, 0);
  await redis.start();
  await until("a turn", () => turns.length > 0);
  await until("nothing to complain of", () => jobs.warnables().length === 0);
  await jobs.close();
});

test("closing ends in time although Redis is away", { skip: redisMissing }, async (t) => {
  const redis = await createTestRedis(t);
  await redis.start();
  const turns: string[] = [];
  const jobs = startReplica(t, redis.url, () => turns.push("a turn"));
  await until("a turn", () => turns.length > 0);
  await redis.kill();
  const begunMs = performance.now();
  await jobs.close();
  assert.ok(performance.now() - begunMs < 20_000);
});

test("closing ends in time although Redis never came", async (t) => {
  const jobs = startReplica(t, "/nonexistent/redis.sock", () => undefined);
  const begunMs = performance.now();
  await jobs.close();
  assert.ok(performance.now() - begunMs < 20_000);
});

test("a job asked for runs soon, though its turn is far away", { skip: redisMissing }, async (t) => {
  const redis = await createTestRedis(t);
  await redis.start();
  const turns: string[] = [];
  const jobs = startReplica(t, redis.url, () => turns.push("a turn"), systemClock, 3600_000);
  await until("the first turn", () => turns.length === 1);
  await jobs.runNow("feeds");
  await until("the turn that was asked for", () => turns.length === 2);
  await jobs.close();
});

function startReplica(
  t: TestContext,
  redisUrl: string,
  run: () => void,
  clock = systemClock,
  everyMs = EVERY_MS,
): Jobs {
  const jobs = startBullJobs({ redisUrl, clock, log: silentLog, observe: () => undefined });
  t.after(() => jobs.close());
  jobs.schedule({ name: "feeds", everyMs, run: async () => run() });
  return jobs;
}
