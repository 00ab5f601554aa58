import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { seededRandom } from "@fleetban/kit/random";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { createTimerJobs } from "./timer.ts";

test("a job has its first turn at once and then one a period, with jitter", async () => {
  const { clock, jobs } = start();
  const turnsMs: number[] = [];
  jobs.schedule({ name: "feeds", everyMs: 1_000, run: async () => void turnsMs.push(clock.monotonicMs()) });
  await clock.run(10_000);
  await jobs.close();
  const restsMs = turnsMs.slice(1).map((atMs, index) => atMs - turnsMs[index]!);
  assert.equal(turnsMs[0], 0);
  assert.ok(
    restsMs.every((restMs) => restMs >= 1_000 && restMs <= 1_100),
    String(restsMs),
  );
});

test("a job asked for has its turn now, and never two turns at once", async () => {
  const { clock, jobs } = start();
  let running = 0;
  let turns = 0;
  jobs.schedule({
    name: "feeds",
    everyMs: 60_000,
    run: async (signal) => {
      running += 1;
      assert.equal(running, 1);
      await clock.sleep(100, signal);
      turns += 1;
      running -= 1;
    },
  });
  await clock.run(50);
  await jobs.runNow("feeds"); // in the middle of the first
  await clock.run(500);
  await jobs.runNow("feeds");
  await clock.run(1_000);
  await jobs.close();
  assert.equal(turns, 3);
  await assert.rejects(jobs.runNow("reports"), { code: "unknown-job" });
});

test("a turn that fails is told and the next one comes", async () => {
  const outcomes: string[] = [];
  const { clock, jobs } = start((_, outcome) => outcomes.push(outcome));
  const failOnce = () => (outcomes.length === 0 ? Promise.reject(new Error("no")) : Promise.resolve());
  jobs.schedule({ name: "feeds", everyMs: 1_000, run: failOnce });
  await clock.run(1_500);
  await jobs.close();
  assert.deepEqual(outcomes, ["failed", "done"]);
});

test("closing ends a running turn by its signal and waits for it", async () => {
  const { clock, jobs } = start();
  let ended = false;
  jobs.schedule({
    name: "feeds",
    everyMs: 1_000,
    run: async (signal) => {
      await clock.sleep(3600_000, signal).catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve)); // tidies up
      ended = true;
    },
  });
  await clock.run(10);
  await jobs.close();
  assert.equal(ended, true);
});

function start(observe: (name: string, outcome: string) => void = () => undefined) {
  const clock = createVirtualClock();
  return { clock, jobs: createTimerJobs({ clock, random: seededRandom(1), log: silentLog, observe }) };
}
