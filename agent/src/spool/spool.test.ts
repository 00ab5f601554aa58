import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { seededRandom } from "@fleetban/kit/random";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import type { Sighting } from "@fleetban/proto/model/sighting";
import { type MemoryDisk, memoryDisk } from "./files.fixture.ts";
import { sightingFixture } from "./sighting.fixture.ts";
import { openSpool, type Spool, type SpoolBatch } from "./spool.ts";

let starts = 0;

async function open(disk: MemoryDisk, maxBytes = 1 << 20): Promise<Spool> {
  starts += 1; // another incarnation each
  const clock = createVirtualClock(1_795_000_000_000);
  return await openSpool({ files: disk.files, clock, random: seededRandom(starts), log: silentLog }, { maxBytes });
}

const entries = (...numbers: number[]) =>
  numbers.map((number) => ({ sighting: sightingFixture(number), position: at("handoff", number) }));
const at = (source: string, number: number) => ({ source, file: "7:64:abc", value: String(number) });

async function batches(spool: Spool, maxItems = 100): Promise<readonly SpoolBatch[]> {
  const found: SpoolBatch[] = [];
  for (;;) {
    const last = found.at(-1);
    const point = last && { incarnation: last.incarnation, seq: last.firstSeq + last.sightings.length - 1 };
    const batch = await spool.after(point, maxItems);
    if (batch === undefined) return found;
    found.push(batch);
  }
}

async function unacknowledged(spool: Spool): Promise<readonly Sighting[]> {
  return (await batches(spool)).flatMap(({ sightings }) => sightings);
}

test("sightings survive a power cut with their incarnation, number and source position", async () => {
  const disk = memoryDisk();
  const before = await open(disk);
  assert.deepEqual(await before.append(entries(1, 2)), { firstSeq: 1 });
  assert.deepEqual(await before.append(entries(3)), { firstSeq: 3 });
  const after = await open(disk.afterPowerCut());
  assert.deepEqual(
    await unacknowledged(after),
    [1, 2, 3].map((number) => sightingFixture(number)),
  );
  assert.deepEqual(after.positions().get("handoff"), at("handoff", 3));
  const [old] = await batches(after);
  assert.deepEqual([old?.incarnation, old?.firstSeq], [before.describe()[0]?.incarnation, 1]);
  await after.append(entries(4));
  const described = after.describe();
  assert.deepEqual(
    described.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq]),
    [
      [1, 3],
      [1, 1],
    ],
  );
  assert.notDeepEqual(described[0]?.incarnation, described[1]?.incarnation);
});

test("appends that arrive during a sync share the next one", async () => {
  const disk = memoryDisk();
  const spool = await open(disk);
  await spool.append(entries(1));
  const gate = Promise.withResolvers<void>();
  disk.hold = () => gate.promise;
  const appended = [2, 3, 4, 5].map((number) => spool.append(entries(number)));
  const before = disk.appends;
  gate.resolve();
  const firstSeqs = (await Promise.all(appended)).map(({ firstSeq }) => firstSeq);
  assert.deepEqual(firstSeqs, [2, 3, 4, 5]);
  assert.ok(disk.appends - before <= 2, `${disk.appends - before} syncs for four appends`);
});

test("what is acknowledged is not sent again, nor after a restart that remembers it", async () => {
  const disk = memoryDisk();
  const spool = await open(disk);
  await spool.append(entries(1, 2, 3));
  const [batch] = await batches(spool);
  await spool.acknowledge(batch!.incarnation, 2);
  assert.deepEqual([spool.size, spool.oldestMs], [1, sightingFixture(3).recordedAtMs]);
  await spool.close();
  const again = await open(disk);
  assert.deepEqual(await unacknowledged(again), [sightingFixture(3)]);
  assert.deepEqual(again.takeRecent().length, 3);
});

test("an acknowledgement that was not yet written down is learned from Welcome", async () => {
  const disk = memoryDisk();
  const spool = await open(disk);
  await spool.append(entries(1, 2));
  const { incarnation } = (await batches(spool))[0]!;
  await spool.acknowledge(incarnation, 2);
  const after = await open(disk.afterPowerCut());
  assert.equal(after.size, 2);
  await after.welcomed([{ incarnation, seq: 2, act: Buffer.from(sightingFixture(2).act, "hex") }]);
  assert.equal(after.size, 0);
});

test("a batch the disk has no room for is refused whole, and taken when there is room again", async () => {
  const disk = memoryDisk();
  const spool = await open(disk);
  await spool.append(entries(1));
  disk.capacity = 700;
  await assert.rejects(spool.append(entries(2, 3, 4)), { code: "spool-unwritable", message: /ENOSPC/ });
  assert.deepEqual(spool.positions().get("handoff"), at("handoff", 1));
  assert.deepEqual(await unacknowledged(await open(disk.afterPowerCut())), [sightingFixture(1)]);
  disk.capacity = Number.POSITIVE_INFINITY;
  assert.deepEqual(await spool.append(entries(2, 3, 4)), { firstSeq: 2 });
  assert.deepEqual((await unacknowledged(await open(disk.afterPowerCut()))).length, 4);
});

test("a failed write that can't be taken back uses up its numbers, and its file is not written again", async () => {
  const disk = memoryDisk();
  const spool = await open(disk);
  await spool.append(entries(1));
  const size = disk.bytesOf("segment-000000000001").length;
  disk.capacity = size * 2.5; // room for one of the next two
  disk.isStuck = true;
  await assert.rejects(spool.append(entries(2, 3)), { code: "spool-unwritable" });
  disk.capacity = Number.POSITIVE_INFINITY;
  assert.deepEqual(await spool.append(entries(2, 3)), { firstSeq: 4 });
  const names = (await batches(await open(disk.afterPowerCut()))).map(({ firstSeq, sightings }) => [
    firstSeq,
    sightings.length,
  ]);
  assert.deepEqual(
    names,
    [
      [1, 2],
      [4, 2],
    ],
    "the second is there under both its numbers: one act, two names",
  );
});

test("a record that stands there twice counts once", async () => {
  const disk = memoryDisk();
  await (await open(disk)).append(entries(1, 2));
  const bytes = disk.bytesOf("segment-000000000001");
  disk.write("segment-000000000001", Buffer.concat([bytes, bytes]));
  assert.deepEqual(await unacknowledged(await open(disk)), [sightingFixture(1), sightingFixture(2)]);
});

test("a full spool drops its oldest sightings, counts them, and leaves a gap", async () => {
  const disk = memoryDisk();
  const spool = await open(disk, 16_384);
  for (let number = 1; number <= 100; number += 1) await spool.append(entries(number));
  assert.ok(spool.fill.bytes <= 16_384);
  assert.ok(spool.lost > 0);
  assert.equal(spool.size + spool.lost, 100);
  const left = await unacknowledged(spool);
  assert.deepEqual(left.at(-1), sightingFixture(100));
  assert.equal((await batches(spool))[0]?.firstSeq, spool.lost + 1);
  const again = await open(disk.afterPowerCut(), 16_384);
  assert.equal(again.lost, spool.lost, "the count survives");
  assert.deepEqual(again.positions().get("handoff"), at("handoff", 100));
});

test("acknowledged segments are removed, but for the newest, and the positions in them are kept", async () => {
  const disk = memoryDisk();
  const spool = await open(disk, 65_536);
  for (let number = 1; number <= 300; number += 1) {
    await spool.append(entries(number));
    if (number % 10 === 0) await spool.acknowledge(spool.describe()[0]!.incarnation, number);
  }
  assert.deepEqual([spool.size, spool.lost], [0, 0]);
  assert.ok(spool.fill.bytes < 32_768, `${spool.fill.bytes} bytes`);
  assert.ok(spool.forgottenBeforeMs > 0);
  const again = await open(disk.afterPowerCut(), 65_536);
  assert.deepEqual(again.positions().get("handoff"), at("handoff", 300));
  assert.ok(again.takeRecent().length > 10);
});

test("a damaged record is lost and counted once, those around it are not", async () => {
  const disk = memoryDisk();
  const spool = await open(disk);
  await spool.append(entries(1, 2, 3, 4));
  const [name] = disk.names().filter((candidate) => candidate.startsWith("segment"));
  const bytes = Buffer.from(disk.bytesOf(name!));
  const length = bytes.length / 4;
  bytes[Math.floor(length * 1.5)]! ^= 0xff;
  disk.write(name!, bytes);
  const after = await open(disk);
  assert.deepEqual(
    await unacknowledged(after),
    [1, 3, 4].map((number) => sightingFixture(number)),
  );
  assert.deepEqual([after.lost, after.size], [1, 3]);
  const found = await batches(after);
  assert.deepEqual(
    found.map(({ firstSeq }) => firstSeq),
    [1, 3],
    "a gap begins a new message",
  );
  await after.acknowledge(found[0]!.incarnation, 4);
  await after.close();
  assert.equal((await open(disk)).lost, 1);
});

test("a record that goes bad under a running spool does not hold up those behind it", async () => {
  const disk = memoryDisk();
  await (await open(disk)).append(entries(1, 2, 3));
  const spool = await open(disk); // reads them back from the disk
  const [name] = disk.names().filter((candidate) => candidate.startsWith("segment"));
  const bytes = Buffer.from(disk.bytesOf(name!));
  bytes[20]! ^= 0xff;
  disk.write(name!, bytes);
  assert.deepEqual(
    await unacknowledged(spool),
    [2, 3].map((number) => sightingFixture(number)),
  );
  assert.deepEqual(
    await unacknowledged(spool),
    [2, 3].map((number) => sightingFixture(number)),
  );
  assert.deepEqual([spool.lost, spool.size], [1, 2]);
});

test("a machine rolled back to an earlier image sends what it has under a new incarnation", async () => {
  const disk = memoryDisk();
  const spool = await open(disk);
  await spool.append(entries(1, 2));
  const { incarnation } = spool.describe()[0]!;
  const image = disk.afterPowerCut();
  const rolledBack = await open(image);
  await rolledBack.append(entries(9));
  await rolledBack.welcomed([{ incarnation, seq: 57, act: Buffer.alloc(8) }]);
  const found = await batches(rolledBack);
  assert.deepEqual(
    found.flatMap(({ sightings }) => sightings),
    [1, 2, 9].map((number) => sightingFixture(number)),
  );
  assert.ok(found.every((batch) => Buffer.compare(batch.incarnation, incarnation) !== 0));
  assert.deepEqual(rolledBack.positions().get("handoff"), at("handoff", 9));
  await rolledBack.append(entries(10));
  const again = await open(image.afterPowerCut());
  assert.deepEqual(
    await unacknowledged(again),
    [1, 2, 9, 10].map((number) => sightingFixture(number)),
  );
  assert.deepEqual(
    (await batches(again)).map(({ incarnation: own, firstSeq }) => [Buffer.from(own).toString("hex"), firstSeq]),
    (await batches(rolledBack)).map(({ incarnation: own, firstSeq }) => [Buffer.from(own).toString("hex"), firstSeq]),
    "the new names survive a restart",
  );
});

test("another act under a known number makes a new incarnation as well; the right one does not", async () => {
  const spool = await open(memoryDisk());
  await spool.append(entries(1, 2));
  const { incarnation } = spool.describe()[0]!;
  await spool.welcomed([{ incarnation, seq: 1, act: Buffer.from(sightingFixture(1).act, "hex") }]);
  assert.deepEqual(await unacknowledged(spool), [sightingFixture(2)]);
  assert.deepEqual(spool.describe()[0]?.incarnation, incarnation);
  await spool.welcomed([{ incarnation, seq: 2, act: Buffer.from(sightingFixture(7).act, "hex") }]);
  assert.deepEqual(await unacknowledged(spool), [sightingFixture(2)]);
  assert.notDeepEqual(spool.describe()[0]?.incarnation, incarnation);
  assert.deepEqual(await spool.append(entries(3)), { firstSeq: 2 });
});

test("the running incarnation of a machine rolled back alive is given up before it is used again", async () => {
  const spool = await open(memoryDisk());
  const { incarnation, lastSeq } = spool.describe()[0]!;
  assert.equal(lastSeq, 0);
  await spool.welcomed([{ incarnation, seq: 40, act: Buffer.alloc(8) }]);
  await spool.append(entries(1));
  assert.notDeepEqual(spool.describe()[0]?.incarnation, incarnation);
});

test("who waits for a change learns of an append, an acknowledgement and his own abort", async () => {
  const spool = await open(memoryDisk());
  const forever = new AbortController().signal;
  const appended = spool.changed(forever);
  await spool.append(entries(1));
  await appended;
  const acknowledged = spool.changed(forever);
  await spool.acknowledge(spool.describe()[0]!.incarnation, 1);
  await acknowledged;
  const stopper = new AbortController();
  const stopped = spool.changed(stopper.signal);
  stopper.abort(new Error("enough"));
  await assert.rejects(stopped, /enough/);
});

test("outstanding counts what was sent and is not acknowledged", async () => {
  const disk = memoryDisk();
  await (await open(disk)).append(entries(1, 2, 3));
  const spool = await open(disk);
  await spool.append(entries(4, 5));
  const [first, second] = await batches(spool);
  assert.equal(spool.outstanding(undefined), 0);
  assert.equal(spool.outstanding({ incarnation: first!.incarnation, seq: 2 }), 2);
  assert.equal(spool.outstanding({ incarnation: second!.incarnation, seq: 1 }), 4);
  await spool.acknowledge(first!.incarnation, 3);
  assert.equal(spool.outstanding({ incarnation: second!.incarnation, seq: 1 }), 1);
});

test("a note is durable with the next append, or after a while by itself", async () => {
  const disk = memoryDisk();
  const clock = createVirtualClock();
  const spool = await openSpool(
    { files: disk.files, clock, random: seededRandom(1), log: silentLog },
    { maxBytes: 1 << 20 },
  );
  spool.note(at("log", 5));
  assert.equal((await open(disk.afterPowerCut())).positions().get("log"), undefined);
  await spool.append(entries(1));
  assert.deepEqual((await open(disk.afterPowerCut())).positions().get("log"), at("log", 5));
  spool.note(at("log", 6));
  await clock.run(11_000);
  assert.deepEqual((await open(disk.afterPowerCut())).positions().get("log"), at("log", 6));
  await spool.close();
  await assert.rejects(spool.append(entries(2)), { code: "spool-closed" });
});
