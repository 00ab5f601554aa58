import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import { createAppliedReport } from "./applied.ts";
import type { Firewall } from "./firewall/firewall.ts";

/** A firewall of which one list is read in `tookMs`, and differs as often as `drifts` says. */
function reportFixture({ tookMs, drifts = 0 }: { readonly tookMs: number; readonly drifts?: number }) {
  const clock = createVirtualClock(0);
  const asked: number[] = [];
  let readings = 0;
  const firewall = {
    applied: () => ({ list: LIST_FLEET, epoch: "11".repeat(16), revision: 4 }),
    state: () => ({ drift: { entries: Math.min(readings, drifts) } }),
    async kernelDigest() {
      readings += 1;
      await clock.sleep(tookMs);
      return 7n;
    },
  } as unknown as Firewall;
  const report = createAppliedReport(firewall, clock, (_list, afterMs) => asked.push(afterMs));
  return {
    asked,
    pass: (durationMs: number) => clock.run(clock.monotonicMs() + durationMs),
    /** Whether the report has the kernel's digest. */
    async hasDigest() {
      const made = report(LIST_FLEET);
      await clock.run(clock.monotonicMs() + tookMs);
      return ((await made)?.kernelDigest.length ?? 0) > 0;
    },
  };
}

test("reading back takes a hundredth of the time, and a report without it is followed by one with it", async () => {
  const { asked, pass, hasDigest } = reportFixture({ tookMs: 50 });
  assert.equal(await hasDigest(), true);
  await pass(1_000);
  assert.equal(await hasDigest(), false);
  assert.deepEqual(asked, [4_000]);
  await pass(4_000);
  assert.equal(await hasDigest(), true);
});

test("on a machine that reads for seconds it is read each minute all the same", async () => {
  const { pass, hasDigest } = reportFixture({ tookMs: 5_000 });
  assert.equal(await hasDigest(), true);
  await pass(60_000);
  assert.equal(await hasDigest(), true);
});

test("what differed is read once more when it is repaired", async () => {
  const { asked, pass, hasDigest } = reportFixture({ tookMs: 50, drifts: 1 });
  assert.equal(await hasDigest(), true);
  assert.deepEqual(asked, [1_000]);
  await pass(1_000);
  assert.equal(await hasDigest(), true);
});
