import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { Blocklist } from "@fleetban/proto/model/blocklist";
import { parseDigestKey } from "@fleetban/proto/model/digest";
import { ALLOWED, LIST_EXEMPT, LIST_FLEET, type ListNo, RANK, type Rank } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { listingsOf } from "@fleetban/proto/model/sorted-columns";
import { unixSeconds } from "@fleetban/proto/model/time";
import type { Edition, EditionKey } from "./edition.ts";
import { createEditions } from "./editions.ts";
import type { Terms } from "./terms.ts";

const START_S = 1_800_000_000;
const KEY: EditionKey = { lists: [LIST_FLEET], isForOwnUse: false };

test("what has ended is not in the next edition, though no list has changed", async () => {
  const { editions, put, clock } = prepare();
  put(LIST_FLEET, "21.0.0.7", { ends: 60 });
  put(LIST_FLEET, "21.0.0.9");
  assert.deepEqual(prefixesOf(await editions.current(KEY)), ["21.0.0.7", "21.0.0.9"]);
  await clock.run(61_000);
  assert.deepEqual(prefixesOf(await editions.current(KEY)), ["21.0.0.9"]);
});

test("what a hole that has ended hid is in the next one", async () => {
  const { editions, put, clock } = prepare();
  put(LIST_FLEET, "21.0.0.6/31");
  put(LIST_EXEMPT, "21.0.0.7", { ends: 60, rank: ALLOWED });
  assert.deepEqual(prefixesOf(await editions.current(KEY)), ["21.0.0.6"]);
  await clock.run(61_000);
  assert.deepEqual(prefixesOf(await editions.current(KEY)), ["21.0.0.6/31"]);
});

test("an edition is made once for everybody, and again when a list has changed", async () => {
  const { editions, put, copies } = prepare();
  put(LIST_FLEET, "21.0.0.7");
  const [one, other] = await Promise.all([editions.current(KEY), editions.current(KEY)]);
  assert.equal(one, other);
  assert.equal(await editions.current(KEY), one);
  assert.equal(copies(), 2);
  put(LIST_FLEET, "21.0.0.9");
  const next = await editions.current(KEY);
  assert.deepEqual([next.no, next.revision, prefixesOf(next).length], [2, 2, 2]);
  assert.equal(copies(), 3, "exempt has not changed");
});

test("a list that takes long to make is not made again at once", async () => {
  const { editions, put, clock, slowness } = prepare();
  put(LIST_FLEET, "21.0.0.7");
  slowness.ms = 1_000;
  const making = editions.current(KEY);
  await clock.run(1_000);
  const first = await making;
  put(LIST_FLEET, "21.0.0.9");
  await clock.run(9_000);
  assert.equal(await editions.current(KEY), first, "it rests for nine times as long");
  slowness.ms = 0;
  await clock.run(10_001);
  assert.equal((await editions.current(KEY)).size, 2);
});

test("what can't be made anew goes on being given as it was", async () => {
  const { editions, put, slowness } = prepare();
  put(LIST_FLEET, "21.0.0.7");
  const first = await editions.current(KEY);
  slowness.isBroken = true;
  put(LIST_FLEET, "21.0.0.9");
  assert.equal(await editions.current(KEY), first);
  await assert.rejects(editions.current({ ...KEY, lists: [LIST_EXEMPT] }), /no terms/);
  slowness.isBroken = false;
  assert.equal((await editions.current(KEY)).size, 2);
});

test("what nobody asks for is forgotten", async () => {
  const { editions, put, clock } = prepare();
  put(LIST_FLEET, "21.0.0.7");
  await editions.current(KEY);
  await clock.run(800_000);
  editions.forgetUnused();
  assert.equal(editions.held().length, 1);
  await clock.run(1_000_000);
  editions.forgetUnused();
  assert.equal(editions.held().length, 0);
});

function prepare() {
  const clock = createVirtualClock(START_S * 1_000);
  const key = parseDigestKey(new Uint8Array(16));
  const heads = new Map([LIST_EXEMPT, LIST_FLEET].map((list) => [list, new Blocklist(list, key)]));
  const revisions = new Map<ListNo, number>();
  const slowness = { ms: 0, isBroken: false };
  let [revision, copied] = [0, 0];
  const ledger = {
    epoch: "e",
    ledgerTimeMs: () => clock.nowMs(),
    lists: () =>
      [...heads.keys()].map((list) => ({ list: { list, name: "fleet" }, revision: revisions.get(list) ?? 0 })),
    copyOf(list: ListNo) {
      copied += 1;
      return heads.get(list)?.clone();
    },
  };
  const terms: Terms = {
    async publishable() {
      if (slowness.ms > 0) await clock.sleep(slowness.ms);
      if (slowness.isBroken) throw new Error("no terms");
      return { no: 0, only: undefined };
    },
    credits: async () => [],
  };
  return {
    clock,
    slowness,
    editions: createEditions({ ledger: ledger as never, terms, clock, log: silentLog }),
    copies: () => copied,
    /** `ends`: seconds from the start; 0 = never. */
    put(list: ListNo, text: string, { ends = 0, rank = RANK.fleet }: { ends?: number; rank?: Rank } = {}) {
      const until = unixSeconds(ends === 0 ? 0 : START_S + ends);
      heads.get(list)?.put({ prefix: parsePrefix(text), until, rank, begun: unixSeconds(0) });
      revision += 1;
      revisions.set(list, revision);
    },
  };
}

function prefixesOf({ families }: Edition): string[] {
  return [...listingsOf(families)].map(({ prefix }) => prefix);
}
