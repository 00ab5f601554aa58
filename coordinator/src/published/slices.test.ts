import assert from "node:assert/strict";
import { test } from "node:test";
import type { Turns } from "@fleetban/kit/turns";
import { rank } from "@fleetban/proto/model/listing";
import { blankWords } from "@fleetban/proto/model/prefix-words";
import {
  emptyListingColumns,
  type ListingColumns,
  writePrefix,
  writeValues,
} from "@fleetban/proto/model/sorted-columns";
import { unixSeconds } from "@fleetban/proto/model/time";
import { createAnnouncements } from "./bouncers/announcements.ts";
import { answerToQuery } from "./bouncers/answer-query.ts";
import { filterOf } from "./bouncers/filters.ts";
import { changesText, wholeText } from "./bouncers/stream-text.ts";
import type { Edition } from "./edition.ts";
import { FORMATS } from "./formats/formats.ts";
import { makeEdition } from "./make-edition.ts";
import { render } from "./render.ts";

const NOW = unixSeconds(1_800_000_000);
const LISTINGS = 300_000;
/** Work between two chances to give way: a turn is over after 10 ms of it. Of CPU, so that a busy machine changes nothing. */
const SLICE_MAX_MS = 40;
/** Garbage of many chunks in it; what 1.2 million rows would take as objects is ten times that. */
const HEAP_MAX = 96 << 20;

test("a long list holds nobody up, from making it to telling it", () =>
  inOneOfThree(async () => {
    const lists = [v4(LISTINGS, 20), v4(LISTINGS / 2, 21)].map((columns) => ({
      families: [columns, none(6)],
      only: undefined,
    }));
    const watch = watched();
    const made = await makeEdition(lists, [v4(50, 20), none(6)], NOW, watch.turns);
    const edition: Edition = {
      ...{ ...made, no: 1, lists: ["fleet"], isForOwnUse: false, size: made.families[0]?.count ?? 0 },
      ...{ epoch: "" as never, revision: 1 as never, asOf: NOW },
    };
    assert.ok(edition.size > LISTINGS);
    const announced = createAnnouncements({ turnsFor: () => watch.turns, nextNo: counter() });
    await announced.advance(edition, NOW);
    await announced.advance({ ...edition }, unixSeconds(NOW + 60));
    const told = { filter: filterOf(new URLSearchParams()), maxRank: 255, now: NOW, passesOverKnown: true };
    for await (const chunk of wholeText(edition, [], told, watch.turns)) assert.ok(chunk.length < 65_536);
    for (const format of [FORMATS.get("txt"), FORMATS.get("json"), FORMATS.get("nft")]) {
      assert.ok(format);
      const page = { lists: ["fleet"], families: edition.families, name: "published", timeoutsFrom: undefined };
      await render(format, page, watch.turns);
    }
    assert.ok(watch.turnsGiven() > 20, `${watch.turnsGiven()} turns`);
    assert.ok(watch.longestMs() < SLICE_MAX_MS, `${watch.longestMs()} ms at a stretch`);
  }));

test("a bouncer that wants next to nothing of a long list holds nobody up either", () =>
  inOneOfThree(async () => {
    const families = [v4(LISTINGS, 20), none(6)];
    const edition: Edition = {
      ...{ no: 1, lists: ["fleet"], isForOwnUse: false, families, size: LISTINGS, leftOut: 0 },
      ...{ epoch: "" as never, revision: 1 as never, asOf: NOW, goodUntil: NOW },
    };
    const query = new URLSearchParams("range=20.0.0.0/8&contains=false&type=captcha");
    const told = { filter: filterOf(query), maxRank: 255, now: NOW, passesOverKnown: true };
    const gone = Array.from({ length: LISTINGS }, (_, at) => `21.${at >> 16}.${(at >> 8) & 255}.${at & 255}`);
    const watch = watched();
    const steps = [{ from: 1, no: 2, added: families, removed: families, changed: [] }];
    const answers = [
      ["whole", wholeText(edition, gone, told, watch.turns), '{"new":[],"deleted":[]}'],
      ["changes", changesText(steps, told, watch.turns), '{"new":[],"deleted":[]}'],
      ["query", answerToQuery(edition, query, told, watch.turns), "null"],
    ] as const;
    for (const [what, chunks, wanted] of answers) {
      assert.equal((await Array.fromAsync(chunks)).join(""), wanted, what);
      watch.turns.isOver();
      assert.ok(watch.longestMs() < SLICE_MAX_MS, `${what}: ${watch.longestMs()} ms at a stretch`);
    }
  }));

test("a bouncer far behind is told from the first row on, not when all is gathered", () =>
  inOneOfThree(async () => {
    const families = (firstByte: number) => [v4(LISTINGS, firstByte), none(6)];
    const steps = Array.from({ length: 3 }, (_, at) => ({
      ...{ from: at, no: at + 1, added: families(20 + at), removed: families(21 + at), changed: [] },
    }));
    let looked = 0;
    const wants = () => {
      looked += 1;
      return true;
    };
    const told = { filter: { wants, mayHave: wants }, maxRank: 255, now: NOW, passesOverKnown: true };
    const watch = watched();
    const [heapBefore, chunks] = [process.memoryUsage().heapUsed, changesText(steps, told, watch.turns)];
    await chunks.next(); // the opening
    await chunks.next();
    assert.ok(looked > 0 && looked <= 1_024, `${looked} rows for the first chunk`);
    let [rows, heapMost] = [looked, 0];
    for await (const chunk of chunks) {
      rows += chunk.split("},{").length;
      heapMost = Math.max(heapMost, process.memoryUsage().heapUsed);
    }
    assert.ok(rows > LISTINGS * 4);
    assert.ok(heapMost - heapBefore < HEAP_MAX, `${(heapMost - heapBefore) >> 20} MB`);
    assert.ok(watch.longestMs() < SLICE_MAX_MS, `${watch.longestMs()} ms at a stretch`);
  }));

/** A collection of garbage may fall into any slice, and whoever has the other core slows it: one try must be without. */
async function inOneOfThree(attempt: () => Promise<void>): Promise<void> {
  for (let tries = 1; tries < 3; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof assert.AssertionError)) throw error;
    }
  }
  await attempt();
}

function counter(): () => number {
  let no = 0;
  return () => (no += 1);
}

function watched() {
  let [begunMs, longestMs, given] = [cpuMs(), 0, 0];
  let askedMs = begunMs;
  const turns: Turns = {
    isOver() {
      const nowMs = cpuMs();
      longestMs = Math.max(longestMs, nowMs - askedMs);
      askedMs = nowMs;
      return nowMs - begunMs > 10;
    },
    async next() {
      given += 1;
      await new Promise((resolve) => setImmediate(resolve));
      begunMs = cpuMs();
      askedMs = begunMs;
    },
  };
  return { turns, longestMs: () => longestMs, turnsGiven: () => given };
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

function v4(count: number, firstByte: number): ListingColumns {
  const columns = emptyListingColumns(4, count, false);
  for (let row = 0; row < count; row += 1) {
    writePrefix(columns, row, { ...blankWords(), length: 32, a: firstByte * 2 ** 24 + row * 3 });
    writeValues(columns, row, rank(2 + (row % 5)), NOW + 3_600 + row, 0);
  }
  return columns;
}

function none(family: 4 | 6): ListingColumns {
  return emptyListingColumns(family, 0, false);
}
