import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { memoryFiles } from "./files.fixture.ts";
import type { Files } from "./files.ts";
import { deltaOnto, EXEMPT, FLEET, heldFixture, listing } from "./mirror.fixture.ts";
import { Mirror } from "./mirror.ts";
import { createMirrorFile } from "./mirror-file.ts";

test("what was saved is there after a restart, deltas and definition included", async () => {
  const files = memoryFiles();
  const { mirror, file, step } = await opened(files);
  await step("81.0.0.3");
  file.recordList({ ...FLEET, leaseSeconds: 99 });
  await file.flush();
  const again = await opened(files, false);
  assert.deepEqual(again.mirror.positions(), mirror.positions());
  assert.equal(again.mirror.get(FLEET.list)?.list.leaseSeconds, 99);
});

test("pardons keep when they began", async () => {
  const files = memoryFiles();
  const { mirror, file } = await opened(files, false);
  mirror.setLists([EXEMPT]);
  const pardon = listing("2001:470::1", 500, 1, 400);
  mirror.replace(EXEMPT.list, heldFixture(EXEMPT.list, [pardon, listing("81.0.0.0/24", 0, 0)]));
  file.save(EXEMPT.list);
  await file.flush();
  const again = await opened(files, false);
  assert.deepEqual(again.mirror.get(EXEMPT.list)?.held?.blocklist.get(pardon.prefix), pardon);
});

test("a log torn at any byte gives a mirror at one of its revisions, and it goes on from there", async () => {
  const files = memoryFiles();
  const { mirror, step } = await opened(files);
  const positions = [mirror.positions()];
  for (const address of ["81.0.0.3", "81.0.0.4", "2001:470::5"]) {
    await step(address);
    positions.push(mirror.positions());
  }
  const whole = files.contents.get("mirror/2.1.log")!;
  const seen = new Set<number>();
  for (let length = 0; length <= whole.length; length += 1) {
    const torn = memoryFiles(new Map(files.contents).set("mirror/2.1.log", whole.subarray(0, length)));
    const again = await opened(torn, false);
    const at = positions.findIndex(
      (position) => JSON.stringify(position, big) === JSON.stringify(again.mirror.positions(), big),
    );
    assert.ok(at >= 0, `torn at ${length}: at no revision of its history`);
    seen.add(at);
    await again.step("81.0.0.9"); // whatever is appended now must be readable
    assert.deepEqual((await opened(torn, false)).mirror.positions(), again.mirror.positions());
  }
  assert.deepEqual(seen, new Set([0, 1, 2, 3]));
});

test("a byte damaged anywhere never gives a wrong list", async () => {
  const files = memoryFiles();
  const first = await opened(files);
  const history = [JSON.stringify(first.mirror.positions(), big)];
  await first.step("81.0.0.3");
  history.push(JSON.stringify(first.mirror.positions(), big));
  for (const [path, content] of files.contents) {
    for (let at = 0; at < content.length; at += 1) {
      const damaged = Buffer.from(content);
      damaged[at]! ^= 0x10;
      const again = await opened(memoryFiles(new Map(files.contents).set(path, damaged)), false);
      const found = JSON.stringify(again.mirror.positions(), big);
      const expected = path.endsWith(".base") ? ["[]"] : history; // no mirror, never an empty one
      assert.ok(expected.includes(found), `${path} damaged at ${at}: ${found}`);
    }
  }
});

test("a damaged base falls back to its predecessor and what was appended to that", async () => {
  const files = memoryFiles();
  const { mirror, file, step } = await opened(files);
  await step("81.0.0.3");
  const before = mirror.positions();
  file.save(FLEET.list);
  await file.flush();
  files.contents.set("mirror/2.2.base", Buffer.from("not a mirror"));
  assert.deepEqual((await opened(files, false)).mirror.positions(), before);
});

test("a full disk leaves the last readable mirror in place, and the next one is written when there is room", async () => {
  for (let room = 0; room < 700; room += 7) {
    const clock = createVirtualClock();
    const files = memoryFiles();
    const { mirror, file, step } = await opened(files, true, clock);
    const positions = [JSON.stringify(mirror.positions(), big)];
    files.roomBytes = room;
    for (const address of ["81.0.0.3", "81.0.0.4"]) {
      await step(address);
      positions.push(JSON.stringify(mirror.positions(), big));
    }
    file.save(FLEET.list);
    await file.flush();
    const found = JSON.stringify((await opened(memoryFiles(new Map(files.contents)), false)).mirror.positions(), big);
    assert.ok(positions.includes(found), `room for ${room} bytes: ${found}`);
    files.roomBytes = Number.POSITIVE_INFINITY;
    await clock.run(clock.monotonicMs() + 10_000);
    await file.flush();
    assert.equal(file.unsaved().size, 0);
    assert.deepEqual((await opened(files, false)).mirror.positions(), mirror.positions());
  }
});

test("a long log is folded into a new base, and only two generations stay", async () => {
  const files = memoryFiles();
  const { mirror, file } = await opened(files);
  for (let round = 0; round < 5; round += 1) {
    const listings = Array.from({ length: 30_000 }, (_, n) => listing(`82.${n >> 8}.${n & 255}.${round}`));
    await recordStep(mirror, file, listings);
  }
  await file.flush();
  assert.deepEqual((await opened(files, false)).mirror.positions(), mirror.positions());
  const numbers = new Set([...files.contents.keys()].map((path) => path.split(".")[1]));
  assert.ok(numbers.size === 2, [...files.contents.keys()].join(" "));
});

test("a list that was removed does not come back", async () => {
  const files = memoryFiles();
  const { mirror, file } = await opened(files);
  mirror.removeList(FLEET.list);
  file.remove(FLEET.list);
  await file.flush();
  assert.equal(files.contents.size, 0);
});

async function opened(files: Files, isFirst = true, clock = createVirtualClock()) {
  const mirror = new Mirror(clock);
  const file = createMirrorFile({ files, folder: "mirror", mirror, clock, log: silentLog });
  await file.load();
  if (isFirst) {
    mirror.setLists([FLEET]);
    mirror.replace(FLEET.list, heldFixture(FLEET.list, [listing("81.0.0.1", 700), listing("2001:470::1")]));
    file.save(FLEET.list);
  }
  await file.flush();
  const step = (address: string) => recordStep(mirror, file, [listing(address)]);
  return { mirror, file, step };
}

async function recordStep(
  mirror: Mirror,
  file: ReturnType<typeof createMirrorFile>,
  put: ReturnType<typeof listing>[],
) {
  const delta = deltaOnto(mirror.get(FLEET.list)!.held!, [parsePrefix("81.0.0.1")], put);
  assert.equal((await mirror.applyDelta(delta)).kind, "applied");
  file.recordDelta(delta);
  await file.flush();
}

function big(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
