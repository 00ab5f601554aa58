import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { LIST_FEEDS, LIST_FLEET, type ListNo } from "@fleetban/proto/model/listing";
import { createFanOut } from "./fan-out.ts";

test("the first 500 streams are told at once, the others in later turns of the event loop, all of them once", async () => {
  const told: number[] = [];
  const streams = Array.from({ length: 1_201 }, (_, index) => ({ wake: () => told.push(index) }));
  createFanOut(() => streams).wake([LIST_FLEET]);
  assert.equal(told.length, 500);
  await nextTurn();
  assert.equal(told.length, 1_000);
  await nextTurn();
  assert.deepEqual(
    told,
    streams.map((_, index) => index),
  );
});

test("lists that move during a round are told together in the next", async () => {
  const told: ListNo[][] = [];
  const streams = Array.from({ length: 501 }, (_, index) => ({
    wake: (lists: ReadonlySet<ListNo>) => {
      if (index === 500) told.push([...lists]);
    },
  }));
  const fanOut = createFanOut(() => streams);
  fanOut.wake([LIST_FLEET]);
  fanOut.wake([LIST_FEEDS]);
  fanOut.wake([LIST_FLEET]);
  for (let turn = 0; turn < 4; turn += 1) await nextTurn();
  assert.deepEqual(told, [[LIST_FLEET], [LIST_FEEDS, LIST_FLEET]]);
});
