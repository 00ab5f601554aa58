import assert from "node:assert/strict";
import { test } from "node:test";
import { finish } from "@fleetban/kit/slices";
import { createTurns } from "@fleetban/kit/turns";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { rank } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { type ListingColumns, listingColumns, listingsOf } from "@fleetban/proto/model/sorted-columns";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import fc from "fast-check";
import type { Edition } from "../edition.ts";
import { type Announcements, createAnnouncements } from "./announcements.ts";
import { goDuration } from "./decision.ts";
import { difference } from "./diff.ts";
import type { Step } from "./steps.ts";

const NOW = unixSeconds(1_800_000_000);
const HOUR = 3_600;
const DAY = 86_400;

test("what a bouncer knows after any history of steps is what is published now", async () => {
  const states = fc.array(fc.dictionary(fc.integer({ min: 0, max: 7 }).map(String), fc.integer({ min: 1, max: 30 })), {
    minLength: 1,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(states, fc.nat(7), async (history, late) => {
      const announced = announcementsOf();
      const known = new Set<string>();
      let step = 0;
      for (const [at, state] of history.entries()) {
        const edition = editionOf(Object.entries(state).map(([low, days]) => `21.0.0.${low} ${NOW + days * DAY}`));
        const newest = await announced.advance(edition, unixSeconds(NOW + at * 60));
        const steps = announced.since(step);
        // Now and then a poll is missed.
        if (at !== 0 && at % 8 === late && at !== history.length - 1) continue;
        if (at === 0) for (const prefix of prefixesOf(edition.families)) known.add(prefix);
        else apply(known, steps);
        step = newest;
        assert.deepEqual([...known].sort(), prefixesOf(edition.families).sort());
      }
    }),
  );
});

test("ends that move on are told a few at a time, the soonest first; what is new or gone at once", async () => {
  const before = Array.from({ length: 1_000 }, (_, at) => `21.0.${at >> 8}.${at & 255} ${NOW + HOUR + 1_000 - at}`);
  const after = [
    ...before.slice(0, 999).map((line) => line.replace(/ .*/, ` ${NOW + 3 * DAY}`)),
    `22.0.0.1 ${NOW + DAY}`,
  ];
  const announced = announcementsOf();
  await announced.advance(editionOf(before), NOW);
  const edition = editionOf(after);
  await announced.advance(edition, NOW);
  const [step] = announced.since(1) ?? [];
  assert.deepEqual(prefixesOf(step?.added ?? []), ["22.0.0.1"]);
  assert.equal(prefixesOf(step?.removed ?? []).length, 1);
  const moved = prefixesOf(step?.changed ?? []);
  assert.equal(moved.length, 128);
  assert.ok(moved.includes("21.0.3.230") && !moved.includes("21.0.0.0"), "the soonest ends are the last of the list");
  assert.equal(await announced.advance(edition, NOW), 2, "the others wait for their turn");
  for (let turn = 1; turn < 10; turn += 1) await announced.advance(edition, unixSeconds(NOW + turn * 10));
  const told = new Set((announced.since(1) ?? []).flatMap(({ changed }) => prefixesOf(changed)));
  assert.equal(told.size, 999);
});

test("of a feed's listings, which all end at once, no more are told at a time", () => {
  const feed = Array.from({ length: 500 }, (_, at) => `21.0.${at >> 8}.${at & 255} ${NOW + DAY}`);
  const [known, next] = [columnsOf(feed), columnsOf(feed.map((line) => line.replace(/ .*/, ` ${NOW + 3 * DAY}`)))];
  const { changed, waiting } = finish(difference(known, next, NOW, 128));
  assert.deepEqual([changed.count, waiting], [128, 372]);
});

test("an end that is near is told before its turn", () => {
  const near = Array.from({ length: 500 }, (_, at) => `21.0.${at >> 8}.${at & 255} ${NOW + 200}`);
  const [known, next] = [columnsOf(near), columnsOf(near.map((line) => line.replace(/ .*/, ` ${NOW + DAY}`)))];
  assert.equal(finish(difference(known, next, NOW, 128)).changed.count, 500);
});

test("what is open-ended is told again when half of what was told of it is over, not before", async () => {
  const announced = announcementsOf();
  const edition = editionOf(["21.0.0.7 0"]);
  await announced.advance(edition, NOW);
  const again = editionOf(["21.0.0.7 0"]);
  assert.equal(await announced.advance(again, unixSeconds(NOW + 9 * DAY)), 1);
  assert.equal(await announced.advance(editionOf(["21.0.0.7 0"]), unixSeconds(NOW + 11 * DAY)), 2);
});

test("a ban that is shortened is told as gone and new", () => {
  const { changed } = finish(
    difference(columnsOf([`21.0.0.7 ${NOW + DAY}`]), columnsOf([`21.0.0.7 ${NOW + HOUR}`]), NOW, 0),
  );
  assert.equal(changed.count, 1);
});

test("whoever is further behind than what is kept is told everything", async () => {
  const announced = announcementsOf();
  for (let at = 0; at < 6; at += 1) {
    const many = Array.from(
      { length: 120_000 },
      (_, row) => `${21 + at}.${row >> 16}.${(row >> 8) & 255}.${row & 255} 0`,
    );
    await announced.advance(editionOf(many), unixSeconds(NOW + at));
  }
  assert.equal(announced.since(1), undefined);
  assert.equal(announced.since(5)?.length, 1);
  assert.equal(announced.since(7), undefined, "nor is a step known that is not made yet");
});

test("many small steps become few, and whoever is behind any of them is told right", async () => {
  const announced = announcementsOf();
  const known = new Map<number, Set<string>>();
  const present = new Set<string>();
  for (let at = 0; at < 3_000; at += 1) {
    const prefix = `21.0.0.${(at * 7) % 251}`;
    if (!present.delete(prefix)) present.add(prefix);
    const edition = editionOf([...present].map((one) => `${one} ${NOW + DAY}`));
    const no = await announced.advance(edition, NOW);
    if (at % 37 === 0) known.set(no, new Set(prefixesOf(edition.families)));
  }
  assert.ok((announced.since(1)?.length ?? 0) < 200, `${announced.since(1)?.length} steps`);
  assert.ok((announced.since(2_990)?.length ?? 0) <= 64, "who is hardly behind is told hardly more");
  for (const [no, has] of known) {
    apply(has, announced.since(no));
    assert.deepEqual([...has].sort(), [...present].sort(), `from ${no}`);
  }
});

test("a step of other announcements is never taken for an own one", async () => {
  const nextNo = counter();
  const [forgotten, anew] = [announcementsOf(nextNo), announcementsOf(nextNo)];
  const step = await forgotten.advance(editionOf(["21.0.0.7 0"]), NOW);
  await anew.advance(editionOf(["21.0.0.8 0"]), NOW);
  assert.equal(anew.since(step), undefined);
});

test("a duration is written as Go writes it", () => {
  const written = [0, 7, 60, 3_599, 3_600, 14_397, 1_728_000].map(goDuration);
  assert.deepEqual(written, ["0s", "7s", "1m0s", "59m59s", "1h0m0s", "3h59m57s", "480h0m0s"]);
});

function apply(known: Set<string>, steps: readonly Step[] | undefined): void {
  assert.ok(steps);
  for (const { added, removed, changed } of steps) {
    for (const prefix of prefixesOf([...removed, ...changed])) known.delete(prefix);
    for (const prefix of prefixesOf([...added, ...changed])) known.add(prefix);
  }
}

function announcementsOf(nextNo = counter()): Announcements {
  const clock = createVirtualClock();
  return createAnnouncements({ turnsFor: () => createTurns(clock), nextNo });
}

function counter(): () => number {
  let no = 0;
  return () => (no += 1);
}

/** `prefix until` each. */
function editionOf(lines: readonly string[]): Edition {
  const families = [columnsOf(lines), columnsOf([], 6)];
  return {
    ...{ no: 1, lists: ["fleet"], isForOwnUse: false, families, size: lines.length, leftOut: 0 },
    ...{ epoch: "" as never, revision: 1 as never, asOf: NOW, goodUntil: unixSeconds(0) },
  };
}

function columnsOf(lines: readonly string[], family: 4 | 6 = 4): ListingColumns {
  const listings = lines.map((line) => {
    const [prefix = "", until = ""] = line.split(" ");
    return { prefix: parsePrefix(prefix), until: Number(until) as UnixSeconds, rank: rank(2), begun: unixSeconds(0) };
  });
  return listingColumns(listings)[family === 4 ? 0 : 1] as ListingColumns;
}

function prefixesOf(families: readonly ListingColumns[]): string[] {
  return [...listingsOf(families)].map(({ prefix }) => prefix);
}
