import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "@fleetban/kit/log";
import { seededRandom } from "@fleetban/kit/random";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import type { SourcePosition } from "../../spool/source-position.ts";
import { createLineFraming } from "../log/line-framing.ts";
import { memoryFolder } from "./files.fixture.ts";
import { followFile } from "./follow.ts";

const PATH = "/var/log/it";
const OLD = `${PATH}.old`;

interface Settings {
  readonly begin?: "start" | "end";
  readonly positions?: ReadonlyMap<string, SourcePosition>;
  readonly rotateBytes?: number;
  /** So many takes fail. */
  readonly refusals?: number;
  /** Takes are acted on at once, and end with this. */
  readonly slowDisk?: Promise<void>;
}

function createWorld() {
  const clock = createVirtualClock(1_795_000_000_000);
  const folder = memoryFolder(clock.nowMs);
  return { clock, folder, follow: (settings: Settings = {}) => follow(clock, folder, settings) };
}

function follow(
  clock: ReturnType<typeof createVirtualClock>,
  folder: ReturnType<typeof memoryFolder>,
  settings: Settings,
) {
  const lines: string[] = [];
  const offered = new Set<string>();
  const events: string[] = [];
  const positions = new Map<string, SourcePosition>(settings.positions);
  const stopper = new AbortController();
  let refusals = settings.refusals ?? 0;
  const keep = (position: SourcePosition) => void positions.set(position.source, position);
  const parts = {
    ...{ files: folder.files, clock, random: seededRandom(1) },
    log: createLog((line) => events.push(JSON.parse(line).event), clock, "debug"),
  };
  const ended = followFile(
    parts,
    {
      ...{ source: "it", path: PATH, begin: settings.begin ?? "start", framing: createLineFraming },
      ...(settings.rotateBytes === undefined ? {} : { rotation: { bytes: settings.rotateBytes, path: OLD } }),
      positions: settings.positions ?? new Map(),
      ...(settings.slowDisk === undefined ? {} : { isTakenAtOnce: true }),
      rotated: () => folder.files.rotatedOf(PATH),
      async take(records) {
        refusals -= 1;
        const isRefused = refusals >= 0;
        for (const { record } of records) offered.add(record);
        await settings.slowDisk;
        if (isRefused) throw new Error("no room");
        lines.push(...records.map(({ record }) => record));
        for (const { position } of records) keep(position);
      },
      note: async (position) => keep(position),
    },
    stopper.signal,
  );
  ended.catch(() => undefined); // looked at by `stop`
  return {
    lines,
    /** Those of takes that failed, too. */
    offered,
    events,
    positions,
    async stop() {
      stopper.abort(new Error("stopped"));
      await assert.rejects(ended, /stopped/);
    },
  };
}

test("an append is read at once, not at the next look", async () => {
  const { clock, folder, follow } = createWorld();
  const follower = follow();
  await clock.run(0);
  folder.append(PATH, "one\ntw");
  await clock.run(0);
  assert.deepEqual(follower.lines, ["one"]);
  folder.append(PATH, "o\n");
  await clock.run(0);
  assert.deepEqual(follower.lines, ["one", "two"]);
  await follower.stop();
});

test("a change that nobody told is found within a second", async () => {
  const { clock, folder, follow } = createWorld();
  const follower = follow();
  await clock.run(0);
  folder.isDeaf = true;
  folder.append(PATH, "one\n");
  await clock.run(1_000);
  assert.deepEqual(follower.lines, ["one"]);
  await follower.stop();
});

test("the very first start may begin at the end, later ones go on from there", async () => {
  const { clock, folder, follow } = createWorld();
  folder.append(PATH, "old\n");
  const first = follow({ begin: "end" });
  await clock.run(0);
  await first.stop();
  folder.append(PATH, "new\n");
  const second = follow({ begin: "end", positions: first.positions });
  await clock.run(0);
  assert.deepEqual([first.lines, second.lines], [[], ["new"]]);
  await second.stop();
});

test("a renamed file is read to its end while the next one is read as well", async () => {
  const { clock, folder, follow } = createWorld();
  const follower = follow();
  folder.append(PATH, "one\n");
  await clock.run(0);
  folder.rename(PATH, `${PATH}.1`);
  folder.append(PATH, "three\n");
  await clock.run(10);
  folder.append(`${PATH}.1`, "two\n"); // a writer that had it open
  await clock.run(1_000);
  assert.deepEqual(follower.lines, ["one", "three", "two"]);
  await clock.run(10_000);
  assert.ok(folder.names().includes(`${PATH}.1`), "it is not ours to remove");
  await follower.stop();
});

test("after a restart reading goes on in the renamed file, then in the present one", async () => {
  const { clock, folder, follow } = createWorld();
  folder.append(PATH, "one\n");
  const first = follow();
  await clock.run(0);
  await first.stop();
  folder.append(PATH, "two\n");
  folder.rename(PATH, `${PATH}.1`);
  folder.append(PATH, "three\n");
  const second = follow({ positions: first.positions });
  await clock.run(0);
  assert.deepEqual(second.lines, ["two", "three"]);
  await second.stop();
});

test("a file that was cut is read from its beginning", async () => {
  const { clock, folder, follow } = createWorld();
  const follower = follow();
  folder.append(PATH, "one\ntwo\n");
  await clock.run(0);
  folder.cut(PATH);
  folder.append(PATH, "another that is longer than what was there before\n");
  await clock.run(0);
  assert.deepEqual(follower.lines.slice(2), ["another that is longer than what was there before"]);
  assert.deepEqual(follower.events, ["sources.file_cut"]);
  await follower.stop();
});

test("a file of ours is renamed when it is large, and removed when nobody writes to it any more", async () => {
  const { clock, folder, follow } = createWorld();
  const follower = follow({ rotateBytes: 8 });
  folder.append(PATH, "one\ntwo\n");
  await clock.run(0);
  assert.deepEqual(folder.names(), [OLD]);
  folder.append(OLD, "three\n"); // a shell that opened it just before
  folder.append(PATH, "four\n");
  await clock.run(1_000);
  assert.deepEqual(folder.names(), [PATH, OLD].sort());
  await clock.run(5_000);
  assert.deepEqual([folder.names(), follower.lines], [[PATH], ["one", "two", "three", "four"]]);
  await follower.stop();
});

test("what can't be taken is given again until it can, and nothing behind it before", async () => {
  const { clock, folder, follow } = createWorld();
  const follower = follow({ refusals: 3 });
  folder.append(PATH, "one\n");
  await clock.run(0);
  folder.append(PATH, "two\n");
  assert.deepEqual([follower.lines, follower.positions.size], [[], 0]);
  await clock.run(20_000);
  assert.deepEqual(follower.lines, ["one", "two"]);
  assert.deepEqual(follower.events, ["sources.take_failed"], "said once");
  await follower.stop();
});

test("what is written while nothing can be taken is offered, too: who takes also acts on it", async () => {
  const { clock, folder, follow } = createWorld();
  const follower = follow({ refusals: 1_000 });
  folder.append(PATH, "one\n");
  await clock.run(0);
  folder.append(PATH, "two\nthr");
  await clock.run(6_000);
  assert.deepEqual([...follower.offered], ["one", "two"]);
  folder.append(PATH, "ee\n");
  await clock.run(12_000);
  assert.deepEqual([...follower.offered], ["one", "two", "three"]);
  await follower.stop();
});

test("a taker that acts at once gets what is written while its disk is slow", async () => {
  const { clock, folder, follow } = createWorld();
  const disk = Promise.withResolvers<void>();
  const follower = follow({ slowDisk: disk.promise });
  folder.append(PATH, "one\n");
  await clock.run(10);
  folder.append(PATH, "two\nthr");
  await clock.run(10);
  assert.deepEqual([[...follower.offered], follower.lines], [["one", "two"], []]);
  disk.resolve();
  await clock.run(10);
  folder.append(PATH, "ee\n");
  await clock.run(10);
  assert.deepEqual(follower.lines, ["one", "two", "three"]);
  assert.equal(follower.positions.get("it")?.value, "14");
  await follower.stop();
});

test("of takes at once one fails: all are given again", async () => {
  const { clock, folder, follow } = createWorld();
  const disk = Promise.withResolvers<void>();
  const follower = follow({ slowDisk: disk.promise, refusals: 1 });
  folder.append(PATH, "one\n");
  await clock.run(10);
  folder.append(PATH, "two\n");
  await clock.run(10);
  disk.resolve();
  await clock.run(20_000);
  assert.deepEqual([...new Set(follower.lines)].sort(), ["one", "two"]);
  assert.deepEqual(follower.events, ["sources.take_failed"]);
  await follower.stop();
});

test("a position whose file is gone is said, and the present file is read", async () => {
  const { clock, folder, follow } = createWorld();
  folder.append(PATH, "one\n");
  const positions = new Map([["it", { source: "it", file: "99:64:abcd", value: "1000" }]]);
  const follower = follow({ positions, begin: "end" });
  await clock.run(0);
  assert.deepEqual([follower.lines, follower.events], [["one"], ["sources.position_lost"]]);
  await follower.stop();
});
