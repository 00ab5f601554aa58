import assert from "node:assert/strict";
import { test } from "node:test";
import { ms } from "@fleetban/kit/clock";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { parseDigestKey } from "@fleetban/proto/model/digest";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { prefixColumns } from "@fleetban/proto/model/sorted-columns";
import fc from "fast-check";
import { addresses } from "../mirror/mirror.fixture.ts";
import { createExclusive } from "./exclusive.ts";
import { createLanes } from "./lanes.ts";
import { nextBatchEntries, type PaceLimits } from "./pacing.ts";
import { createPercentiles } from "./percentiles.ts";
import { createPump } from "./pump.ts";
import { createSetRegistry } from "./set-registry.ts";
import { SWEEP_ORDER } from "./sweep.ts";

const limits: PaceLimits = { minEntries: 16, maxEntries: 4_096, stepEntries: 16, targetMs: ms(50), cpuShare: 0.25 };

test("a batch size stays within its limits, and halves when the last batch took too long", () => {
  fc.assert(
    fc.property(fc.integer({ min: 16, max: 4_096 }), fc.nat(1_000), (entries, tookMs) => {
      const next = nextBatchEntries(entries, ms(tookMs), limits);
      assert.ok(next >= limits.minEntries && next <= limits.maxEntries);
      if (tookMs > limits.targetMs) assert.equal(next, Math.max(limits.minEntries, Math.floor(entries / 2)));
    }),
  );
});

test("an urgent wish waits for the batch in the kernel, never for the rest after it", async () => {
  for (const arrivesMs of [60_000, 60_037, 60_111, 60_170]) {
    const { clock, sweep, wish, batches } = startPump(1);
    sweep(addresses(100_000));
    await clock.run(arrivesMs);
    wish("urgent", addresses(1, 9));
    await clock.run(arrivesMs + 1_000);
    const waitedMs = batches.find((batch) => batch.lane === "urgent")!.atMs - arrivesMs;
    assert.ok(waitedMs <= limits.targetMs + limits.stepEntries + 1, `arrived at ${arrivesMs}, waited ${waitedMs} ms`);
  }
});

test("applying takes its share of the time and no more", async () => {
  const { clock, sweep, batches } = startPump(1);
  sweep(addresses(100_000));
  await clock.run(200_000);
  const busyMs = batches.reduce((sum, { entries }) => sum + entries, 0);
  assert.ok(busyMs > 48_000 && busyMs < 51_000, `${busyMs} ms of 200,000`);
});

/** From one entry a batch to thousands. */
const wide: PaceLimits = { ...limits, minEntries: 1, stepEntries: 8 };

/** What it settled on, and how long a fresh ban waited at worst. */
async function loadSlowly(msPerEntry: number, pace: PaceLimits = wide) {
  const { clock, sweep, wish, batches } = startPump(msPerEntry, undefined, pace);
  sweep(addresses(200_000));
  const waitedMs: number[] = [];
  for (const [index, ban] of addresses(20, 9).entries()) {
    const arrivesMs = 15_000 + index * 1_037;
    await clock.run(arrivesMs);
    wish("urgent", [ban]);
    await clock.run(arrivesMs + 1_000);
    const batch = batches.find(({ lane, atMs }) => lane === "urgent" && atMs >= arrivesMs);
    waitedMs.push((batch?.atMs ?? Number.POSITIVE_INFINITY) - arrivesMs);
  }
  const settledOn = batches.filter(({ lane, atMs }) => lane === "bulk" && atMs > 15_000).map(({ entries }) => entries);
  return { most: Math.max(...settledOn), worstMs: Math.max(...waitedMs) };
}

test("a kernel that is ten and a hundred times slower gets smaller batches, and a fresh ban waits no longer", async () => {
  const [asUsual, tenfold, hundredfold] = [await loadSlowly(0.05), await loadSlowly(0.5), await loadSlowly(5)];
  assert.ok(asUsual.most > 4 * tenfold.most, `${asUsual.most} and ${tenfold.most} entries`);
  assert.ok(tenfold.most > 4 * hundredfold.most, `${tenfold.most} and ${hundredfold.most} entries`);
  for (const [msPerEntry, { worstMs }] of [
    [0.05, asUsual],
    [0.5, tenfold],
    [5, hundredfold],
  ] as const) {
    const boundMs = wide.targetMs + (wide.stepEntries + 1) * msPerEntry;
    assert.ok(worstMs <= boundMs, `${worstMs} ms at ${msPerEntry} ms an entry`);
  }
  const off = { ...wide, minEntries: 4_096, cpuShare: 1 };
  const unpaced = await loadSlowly(0.5, off);
  assert.ok(unpaced.worstMs > 5 * limits.targetMs, `${unpaced.worstMs} ms with pacing off`);
});

test("a wish stays one, however often it is wished, and urgent is never demoted", async () => {
  const { clock, wish, batches } = startPump(1);
  const [one] = addresses(1);
  wish("bulk", [one!]);
  wish("urgent", [one!]);
  wish("bulk", [one!]);
  wish("urgent", [one!]);
  await clock.run(100);
  assert.deepEqual(
    batches.map(({ lane, entries }) => [lane, entries]),
    [["urgent", 1]],
  );
});

test("what is decided to be nothing costs no batch, and the wishes behind it are not held up", async () => {
  const planned = new Set<Prefix>(addresses(10, 9));
  const { clock, sweep, wish, batches } = startPump(1, (prefix) => planned.has(prefix));
  sweep(addresses(50_000));
  wish("bulk", [...planned]);
  await clock.run(1_000);
  assert.deepEqual(
    batches.map(({ entries }) => entries),
    [10],
  );
});

function startPump(msPerEntry: number, isWanted: (prefix: Prefix) => boolean = () => true, pace = limits) {
  const clock = createVirtualClock();
  const sets = createSetRegistry(parseDigestKey(new Uint8Array(16)));
  const set = sets.local[4];
  const batches: { lane: string; atMs: number; entries: number }[] = [];
  const lanes = createLanes(clock, (_set, prefix) =>
    isWanted(prefix)
      ? { set, op: { kind: "add", set: set.name, prefix, timeoutSeconds: 1 }, isFill: false }
      : undefined,
  );
  const pump = createPump({
    ...{ lanes, clock, exclusive: createExclusive(), applyUs: createPercentiles() },
    limits: () => pace,
    pauseMs: () => 0,
    onBatch: () => undefined,
    async apply({ lane, planned }) {
      if (planned.length === 0) return;
      await clock.sleep(planned.length * msPerEntry);
      batches.push({ lane, atMs: clock.monotonicMs(), entries: planned.length });
    },
  });
  // Owned by the process: a rejection the test doesn't expect fails the run.
  void pump.run(new AbortController().signal);
  const wish = (lane: "urgent" | "bulk", prefixes: readonly Prefix[]) => {
    for (const prefix of prefixes) lanes.wish(lane, set, prefix);
  };
  const sweep = (prefixes: readonly Prefix[]) => {
    const [columns] = prefixColumns(prefixes);
    lanes.sweep({ lane: "bulk", order: SWEEP_ORDER.feeds, set, columns: columns!, holdsRevision: true });
  };
  return { clock, wish, sweep, batches };
}
