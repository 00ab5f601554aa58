import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { seededRandom } from "@fleetban/kit/random";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import fc from "fast-check";
import { memoryDisk } from "./files.fixture.ts";
import { sightingFixture } from "./sighting.fixture.ts";
import { openSpool, type Spool } from "./spool.ts";

type Step =
  | { readonly kind: "append"; readonly count: number }
  | { readonly kind: "acknowledge"; readonly part: number }
  | { readonly kind: "restart" }
  /** Power goes in the middle of an append; `torn` bytes of it are on the disk. */
  | { readonly kind: "cut"; readonly count: number; readonly torn: number }
  | { readonly kind: "full"; readonly count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant("acknowledge" as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ kind: fc.constant("restart" as const) }),
  fc.record({ kind: fc.constant("cut" as const), count: fc.integer({ min: 1, max: 3 }), torn: fc.nat(1_500) }),
  fc.record({ kind: fc.constant("full" as const), count: fc.integer({ min: 1, max: 3 }) }),
);

test("whatever happens to the machine, what was promised is there once, and in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(), async (steps, seed) => {
      const world = createWorld(seed);
      let spool = await world.open();
      for (const one of steps) {
        spool = await world.act(spool, one);
        await world.check(spool);
      }
    }),
    { numRuns: 150 },
  );
});

function createWorld(seed: number) {
  let disk = memoryDisk();
  let starts = 0;
  let next = 1;
  /** Numbers of the sightings promised and not acknowledged, as the ledger would name them. */
  let expected: { number: number; name: string }[] = [];

  const open = () => {
    starts += 1;
    const parts = {
      files: disk.files,
      clock: createVirtualClock(),
      random: seededRandom(seed + starts),
      log: silentLog,
    };
    return openSpool(parts, { maxBytes: 1 << 20 });
  };
  const fresh = (count: number) => Array.from({ length: count }, () => next++);
  const entriesOf = (numbers: readonly number[]) =>
    numbers.map((number) => {
      return { sighting: sightingFixture(number), position: { source: "handoff", file: "f", value: String(number) } };
    });

  async function act(spool: Spool, step: Step): Promise<Spool> {
    switch (step.kind) {
      case "append": {
        const numbers = fresh(step.count);
        const { firstSeq } = await spool.append(entriesOf(numbers));
        const incarnation = Buffer.from(spool.describe().at(-1)!.incarnation).toString("hex");
        expected.push(...numbers.map((number, at) => ({ number, name: `${incarnation}/${firstSeq + at}` })));
        return spool;
      }
      case "acknowledge": {
        const until = expected[Math.floor(expected.length * step.part)];
        if (until === undefined) return spool;
        const [incarnation, seq] = until.name.split("/") as [string, string];
        await spool.acknowledge(Buffer.from(incarnation, "hex"), Number(seq));
        const isGone = ({ name }: { name: string }) =>
          name.startsWith(incarnation) && Number(name.split("/")[1]) <= Number(seq);
        expected = expected.filter((one) => !isGone(one));
        return spool;
      }
      case "restart":
        await spool.close();
        return await open();
      case "full": {
        disk.capacity = 0;
        await assert.rejects(spool.append(entriesOf(fresh(step.count))), { code: "spool-unwritable" });
        disk.capacity = Number.POSITIVE_INFINITY;
        return spool;
      }
      case "cut": {
        await spool.close(); // acknowledgements are lazily written: not what is looked at here
        const running = await open();
        disk.hold = () => new Promise(() => undefined); // never durable
        running.append(entriesOf(fresh(step.count))).catch(() => undefined);
        await new Promise((resolve) => setImmediate(resolve));
        disk = disk.afterPowerCut(step.torn);
        const after = await open();
        await adoptUnpromised(after);
        return after;
      }
    }
  }

  /** Of what was under way, whole records may have survived: then they count, and their source is not asked again. */
  async function adoptUnpromised(spool: Spool): Promise<void> {
    const position = Number(spool.positions().get("handoff")?.value ?? 0);
    const found = await named(spool);
    const surplus = found.slice(expected.length);
    assert.ok(
      surplus.every(({ number }) => number <= position),
      "a record without its position",
    );
    expected.push(...surplus);
  }

  async function check(spool: Spool): Promise<void> {
    assert.deepEqual(await named(spool), expected);
    assert.equal(spool.size, expected.length);
    assert.equal(spool.lost, 0);
    const last = expected.at(-1);
    if (last !== undefined) assert.ok(Number(spool.positions().get("handoff")?.value) >= last.number);
  }
  return { open, act, check };
}

async function named(spool: Spool): Promise<{ number: number; name: string }[]> {
  const found: { number: number; name: string }[] = [];
  let point: { incarnation: Uint8Array; seq: number } | undefined;
  for (;;) {
    const batch = await spool.after(point, 3);
    if (batch === undefined) return found;
    const incarnation = Buffer.from(batch.incarnation).toString("hex");
    for (const [at, { bannedAtMs }] of batch.sightings.entries()) {
      found.push({ number: (bannedAtMs - 1_795_000_000_000) / 10_000, name: `${incarnation}/${batch.firstSeq + at}` });
    }
    point = { incarnation: batch.incarnation, seq: batch.firstSeq + batch.sightings.length - 1 };
  }
}
