import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { LIST_FEEDS } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { createTestDatabase } from "../store/test-database.ts";
import { brakeList, sizeOf } from "./brake-list.ts";
import { holdWarnings } from "./guardrail-warnables.ts";
import { DEFAULT_GUARDRAILS } from "./guardrails.ts";
import { answerListHold } from "./list-holds.ts";

const FREE = { holdsRemovals: false, holdsAdditions: false, isApproved: false };
const some = (count: number, net = 5): Prefix[] =>
  Array.from({ length: count }, (_, at) => parsePrefix(`${net}.7.${Math.floor(at / 250)}.${at % 250}`));

test("a list that falls below its floor keeps what it has, and what is new goes on", async (t) => {
  const { brake, holds } = await withStore(t);
  assert.deepEqual(await brake(some(400), some(200)), FREE);
  assert.deepEqual(await holds(), []);
  const held = { holdsRemovals: true, holdsAdditions: false, isApproved: false };
  assert.deepEqual(await brake(some(400), some(300)), held);
  assert.deepEqual(await holds(), ["list 1 it falls from 400 listings to 100 at once"]);
});

test("a hold that nobody answers stays one; what has become worse is asked about anew", async (t) => {
  const { brake, holds, answer } = await withStore(t);
  await brake(some(400), some(300));
  await brake(some(400), some(290));
  assert.deepEqual(await holds(), ["list 1 it falls from 400 listings to 100 at once"]);
  await brake(some(400), some(350), some(10, 6));
  assert.deepEqual(await holds(), ["list 2 it falls from 400 listings to 60 at once"]);
  await answer(1, "approved"); // by somebody who has seen the first
  assert.equal((await brake(some(400), some(350), some(10, 6))).holdsRemovals, true);
  assert.deepEqual(await brake(some(400), []), FREE);
  assert.deepEqual(await holds(), []);
});

test("an approval holds for what takes no more away, and is used up when nothing is held any more", async (t) => {
  const { brake, holds, answer } = await withStore(t);
  await brake(some(400), some(300));
  await answer(1, "approved");
  assert.deepEqual(await brake(some(400), some(310)), { ...FREE, isApproved: true });
  assert.equal((await brake(some(400), some(399))).holdsRemovals, true);
  assert.deepEqual(await holds(), ["list 2 it falls from 400 listings to 1 at once"]);
  await answer(2, "approved");
  assert.deepEqual(await brake(some(100), []), FREE); // it is done
  assert.equal((await brake(some(400), some(300))).holdsRemovals, true);
});

test("what an operator rejected is not asked about again, unless it becomes worse", async (t) => {
  const { brake, holds, answer } = await withStore(t);
  await brake(some(400), some(300));
  await answer(1, "rejected");
  assert.equal((await brake(some(400), some(300))).holdsRemovals, true);
  assert.deepEqual(await holds(), []);
  assert.equal((await brake(some(400), some(399))).holdsRemovals, true);
  assert.equal((await holds()).length, 1);
});

test("a list that would cover too much waits with what is new, and what goes goes on", async (t) => {
  const { brake, holds, store } = await withStore(t);
  const wide = ["20.0.0.0/8", "21.0.0.0/8", "22.0.0.0/8", "23.0.0.0/8", "24.0.0.0/8"].map(parsePrefix);
  assert.deepEqual(await brake(some(10), some(1), wide), {
    holdsRemovals: false,
    holdsAdditions: true,
    isApproved: false,
  });
  assert.deepEqual(await holds(), ["list 1 it would cover 2.3 % of the public IPv4 addresses"]);
  assert.deepEqual(await holdWarnings(store.sql), [{ code: "list-held", subject: "feeds" }]);
});

async function withStore(t: TestContext) {
  const { store } = await createTestDatabase(t);
  const parts = { store, guardrails: () => DEFAULT_GUARDRAILS, log: silentLog };
  const list = { list: LIST_FEEDS, name: "feeds" };
  return {
    store,
    brake: (present: Prefix[], removed: Prefix[], added: Prefix[] = []) =>
      brakeList(parts, { cause: "feeds", list, before: sizeOf(present), removed, added }),
    answer: (holdNo: number, resolution: "approved" | "rejected") =>
      answerListHold(store.sql, holdNo, "ann", resolution),
    /** Open ones. */
    async holds() {
      const rows = await store.sql<{ subject: string; hold_no: number; reason: string }[]>`
        select subject, hold_no, reason from holds where resolved_at is null order by hold_no`;
      return rows.map((row) => `${row.subject} ${row.hold_no} ${row.reason}`);
    },
  };
}
