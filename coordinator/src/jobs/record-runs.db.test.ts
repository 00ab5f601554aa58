import assert from "node:assert/strict";
import { test } from "node:test";
import { FleetbanError } from "@fleetban/kit/errors";
import { silentLog } from "@fleetban/kit/log";
import type { Sql } from "../store/sql.ts";
import { createTestDatabase } from "../store/test-database.ts";
import { endRun, forgetOldRuns, insertRun, jobStatuses, runsOf } from "./job-runs.ts";
import { type RecordParts, recorded } from "./record-runs.ts";

const EVERY_MS = 60_000;

test("each run of a job is kept: when, what came of it, and by which error", async (t) => {
  const { store } = await createTestDatabase(t);
  const stopping = new AbortController();
  stopping.abort(new Error("jobs are closing"));
  const runs: readonly (readonly [(signal: AbortSignal) => Promise<void>, AbortSignal?])[] = [
    [async () => undefined],
    [() => Promise.reject(new FleetbanError("feed-unreadable", "no"))],
    [() => Promise.reject(new TypeError("no"))],
    [(signal) => Promise.reject(signal.reason as Error), stopping.signal],
  ];
  for (const [run, signal = new AbortController().signal] of runs) {
    await recorded({ name: "feeds", everyMs: EVERY_MS, run }, partsOf(store))
      .run(signal)
      .catch(() => undefined);
  }
  await insertRun(store.sql, "feeds", "two"); // its process was killed
  const kept = await runsOf(store.sql, "feeds", 10);
  assert.deepEqual(
    kept.map(({ replica, ended }) => [replica, ended?.outcome, ended?.errorCode]),
    [
      ["two", undefined, undefined],
      ["one", "stopped", undefined],
      ["one", "failed", "TypeError"],
      ["one", "failed", "feed-unreadable"],
      ["one", "done", undefined],
    ],
  );
  for (const { startedAtMs, ended } of kept) if (ended !== undefined) assert.ok(startedAtMs <= ended.atMs);
  const [status] = await jobStatuses(store.sql);
  assert.deepEqual([status?.job, status?.failures, status?.last], ["feeds", 2, kept[0]]);
  assert.equal(status?.doneAtMs, kept.at(-1)?.ended?.atMs);
});

test("a job fails as it did, and runs though nothing can be kept", async () => {
  const away = (() => Promise.reject(new Error("the database is away"))) as unknown as Sql;
  const parts = partsOf({ sql: away });
  let turns = 0;
  const run = async () => {
    turns += 1;
    if (turns === 2) throw new Error("its own failure");
  };
  const job = recorded({ name: "feeds", everyMs: EVERY_MS, run }, parts);
  await job.run(new AbortController().signal);
  await assert.rejects(job.run(new AbortController().signal), /its own failure/);
  assert.equal(turns, 2);
});

test("old runs are forgotten, but for the last of each kind; many that were done push out no failure", async (t) => {
  const { store } = await createTestDatabase(t);
  const { sql } = store;
  const add = async (job: string, outcome: "done" | "failed", daysAgo: number, times = 1) => {
    for (let at = 0; at < times; at += 1) {
      const runNo = await insertRun(sql, job, "one");
      await endRun(sql, runNo, outcome, undefined);
      await sql`update job_runs set started_at = started_at - make_interval(days => ${daysAgo}) where run_no = ${runNo}`;
    }
  };
  await add("feeds", "failed", 1);
  await add("feeds", "done", 0, 130);
  await add("prune", "done", 400, 2);
  await forgetOldRuns(sql);
  const rows = await sql<{ job: string; outcome: string; count: number }[]>`
    select job, outcome, count(*)::int as count from job_runs group by 1, 2 order by 1, 2`;
  assert.deepEqual(
    rows.map(({ job, outcome, count }) => `${job} ${outcome} ${count}`),
    ["feeds done 100", "feeds failed 1", "prune done 1"],
  );
});

function partsOf(store: RecordParts["store"]): RecordParts {
  return { store, replica: "one", log: silentLog };
}
