import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { prefixColumns } from "@fleetban/proto/model/sorted-columns";
import fc from "fast-check";
import { createDryRunBackend, type DryRunBackend } from "../firewall/dry-run/dry-run-backend.ts";
import { addresses } from "../mirror/mirror.fixture.ts";
import { type CountingBackend, createCountingBackend } from "./counting-backend.ts";

const SET = "fleetban-fleet-v4";
const PAIR = { 4: SET, 6: "fleetban-fleet-v6" } as const;
const ONE = parsePrefix("45.83.64.1");
const OTHER = parsePrefix("45.83.64.2");

test("packets are told once, as many as came since the reading before", async () => {
  const { counted, kernel, read } = await machine();
  await add(counted, ONE);
  receive(kernel, ONE, 3);
  await read();
  receive(kernel, ONE, 2);
  await read();
  await read();
  assert.deepEqual(await read(), { packets: 5, bytes: 500 });
});

test("a lease that is written anew does not begin to count again", async () => {
  const { counted, kernel, read } = await machine();
  await add(counted, ONE);
  receive(kernel, ONE, 3);
  await read();
  await add(counted, ONE);
  receive(kernel, ONE, 1);
  assert.equal((await read()).packets, 4);
});

test("an entry that is removed and added counts from 0, however much it counted before", async () => {
  const { counted, kernel, read } = await machine();
  await add(counted, ONE);
  receive(kernel, ONE, 3);
  await read();
  await counted.apply([{ kind: "remove", set: SET, prefix: ONE }]);
  await add(counted, ONE);
  receive(kernel, ONE, 7);
  assert.equal((await read()).packets, 10);
});

test("a counter that went back behind our back was reset", async () => {
  const { counted, kernel, read } = await machine();
  await add(counted, ONE);
  receive(kernel, ONE, 3);
  await read();
  await kernel.apply([{ kind: "remove", set: SET, prefix: ONE }]);
  await add(kernel, ONE);
  receive(kernel, ONE, 2);
  assert.equal((await read()).packets, 5);
});

test("a set that has taken another's place is counted from its own beginning", async () => {
  const { counted, kernel, read } = await machine();
  await add(counted, ONE);
  receive(kernel, ONE, 3);
  await read();
  await counted.createSet({ name: `${SET}-n`, family: 4, maxEntries: 9 });
  await counted.apply([{ kind: "add", set: `${SET}-n`, prefix: ONE, timeoutSeconds: 0 }]);
  await counted.swapSets(SET, `${SET}-n`);
  await counted.destroySet(`${SET}-n`);
  receive(kernel, ONE, 4);
  assert.equal((await read()).packets, 7);
});

test("what a set has counted before this process is not told: nobody knows what of it was", async () => {
  const { counted, kernel, read } = await machine();
  await add(counted, ONE);
  receive(kernel, ONE, 3);
  await read();
  const restarted = countersOf(kernel);
  receive(kernel, ONE, 5); // while it started
  assert.equal((await restarted.read()).packets, 0);
  await add(restarted.counted, OTHER);
  receive(kernel, ONE, 1);
  receive(kernel, OTHER, 1);
  assert.equal((await restarted.read()).packets, 2);
});

test("a set that is only asked for what is known is counted from the first question on after a restart, too", async () => {
  const { counted, kernel } = await machine();
  for (const prefix of [ONE, OTHER]) await add(counted, prefix);
  receive(kernel, ONE, 3);
  const restarted = countersOf(kernel);
  assert.equal((await restarted.readKnown([ONE, OTHER])).packets, 0);
  receive(kernel, ONE, 1);
  receive(kernel, OTHER, 2);
  assert.equal((await restarted.readKnown([ONE, OTHER])).packets, 3);
});

test("what nobody knew to be in a set is not told with what it has counted before a restart", async () => {
  const { counted, kernel } = await machine();
  for (const prefix of [ONE, OTHER]) await add(counted, prefix);
  receive(kernel, OTHER, 3);
  const restarted = countersOf(kernel);
  await restarted.readKnown([ONE]);
  assert.equal((await restarted.read()).packets, 0);
  receive(kernel, OTHER, 2);
  assert.equal((await restarted.read()).packets, 2);
});

test("a reading that breaks off counts what it has seen, once", async () => {
  const { counted, kernel, read } = await machine();
  await add(counted, ONE);
  receive(kernel, ONE, 3);
  for await (const _piece of counted.readSet(SET)) break;
  assert.equal(counted.countedAtMs(SET), undefined);
  assert.equal((await read()).packets, 3);
});

test("of two readings at once only one counts", async () => {
  const { counted, kernel, read } = await machine();
  await add(counted, ONE);
  receive(kernel, ONE, 3);
  await Promise.all([read(), read()]);
  assert.equal((await read()).packets, 3);
});

test("an entry that is removed and added while its set is read is not told twice", async () => {
  const { counted, kernel, read } = await machine(2_000);
  const many = addresses(1_500);
  const last = many.at(-1)!;
  await counted.apply([ONE, ...many].map((prefix) => ({ kind: "add", set: SET, prefix, timeoutSeconds: 0 })));
  for (const prefix of [ONE, last]) receive(kernel, prefix, 3);
  await read();
  let pieces = 0;
  for await (const _piece of counted.readSet(SET)) {
    pieces += 1;
    if (pieces > 1) continue;
    await counted.apply([ONE, last].map((prefix) => ({ kind: "remove", set: SET, prefix }))); // one is read, one is to come
    await add(counted, ONE);
    receive(kernel, ONE, 2);
  }
  assert.equal(pieces, 2);
  assert.equal((await read()).packets, 8);
});

type Step = "receive" | "read" | "breakOff" | "add" | "remove" | "sneakOut" | "swap" | "restart";
const STEPS: readonly Step[] = ["receive", "read", "breakOff", "add", "remove", "sneakOut", "swap", "restart"];
const LOSING: ReadonlySet<Step> = new Set(["remove", "sneakOut", "swap", "restart"]);

test("whatever happens to the sets, never more is told than was dropped, and all of it where nothing was lost", async () => {
  const step = fc.tuple(fc.constantFrom(...STEPS), fc.constantFrom(ONE, OTHER), fc.integer({ min: 1, max: 9 }));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      let { counted, kernel, read, told } = await machine();
      let [dropped, toldBefore] = [0, 0];
      for (const [act, prefix, count] of steps) {
        if (act === "receive") dropped += receive(kernel, prefix, count);
        if (act === "read") await read();
        if (act === "breakOff") for await (const _piece of counted.readSet(SET)) break;
        if (act === "add") await add(counted, prefix);
        if (act === "remove") await counted.apply([{ kind: "remove", set: SET, prefix }]);
        if (act === "sneakOut") await kernel.apply([{ kind: "remove", set: SET, prefix }]);
        if (act === "swap") await grow(counted);
        if (act === "restart") {
          toldBefore += told().packets;
          ({ counted, read, told } = countersOf(kernel));
        }
        assert.ok(toldBefore + told().packets <= dropped, `${toldBefore + told().packets} of ${dropped}`);
      }
      await read();
      const all = toldBefore + told().packets;
      assert.ok(all <= dropped, `${all} of ${dropped}`);
      if (!steps.some(([act]) => LOSING.has(act))) assert.equal(all, dropped);
    }),
  );
});

function countersOf(kernel: DryRunBackend) {
  const sum = { packets: 0, bytes: 0 };
  const counted = createCountingBackend(kernel, createVirtualClock(), () => (_prefix, more) => {
    sum.packets += more.packets;
    sum.bytes += more.bytes;
  });
  const read = async () => {
    for await (const _piece of counted.readSet(SET));
    return { ...sum };
  };
  const readKnown = async (prefixes: readonly Prefix[]) => {
    const [columns] = prefixColumns(prefixes);
    for await (const _piece of counted.readEntries?.(SET, columns!) ?? []);
    return { ...sum };
  };
  return { counted, kernel, read, readKnown, told: () => sum };
}

async function machine(maxEntries = 8) {
  const kernel = createDryRunBackend(createVirtualClock());
  const counters = countersOf(kernel);
  for (const family of [4, 6] as const) await counters.counted.createSet({ name: PAIR[family], family, maxEntries });
  await kernel.ensureRules([{ deny: PAIR, except: [], reach: { kind: "all-traffic" }, verdict: "drop" }]);
  return counters;
}

async function add(backend: Pick<CountingBackend, "apply">, prefix: Prefix): Promise<void> {
  await backend.apply([{ kind: "add", set: SET, prefix, timeoutSeconds: 0 }]);
}

async function grow(counted: CountingBackend): Promise<void> {
  await counted.createSet({ name: `${SET}-n`, family: 4, maxEntries: 8 });
  for await (const piece of counted.readSet(SET)) {
    await counted.apply(piece.map(({ prefix }) => ({ kind: "add", set: `${SET}-n`, prefix, timeoutSeconds: 0 })));
  }
  await counted.swapSets(SET, `${SET}-n`);
  await counted.destroySet(`${SET}-n`);
}

/** How many were dropped. */
function receive(kernel: DryRunBackend, source: Prefix, packets: number): number {
  let dropped = 0;
  for (let count = 0; count < packets; count += 1) dropped += kernel.receive(source, 100) ? 1 : 0;
  return dropped;
}
