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
import { wholeText } from "./bouncers/stream-text.ts";
import type { Edition } from "./edition.ts";
import { FORMATS } from "./formats/formats.ts";
import { makeEdition } from "./make-edition.ts";
import { render } from "./render.ts";

const NOW = unixSeconds(1_800_000_000);
const LISTINGS = 300_000;
/** Work between two chances to give way: a turn is over after 10 ms of it. Of CPU, so that a busy machine changes nothing. */
const SLICE_MAX_MS = 20;

test("a long list holds nobody up, from making it to telling it", async () => {
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
  const announced = createAnnouncements(() => watch.turns);
  await announced.advance(edition, NOW);
  await announced.advance({ ...edition }, unixSeconds(NOW + 60));
  const told = { filter: () => true, maxRank: 255, now: NOW };
  for await (const chunk of wholeText(edition, [], told, watch.turns)) assert.ok(chunk.length < 65_536);
  for (const format of [FORMATS.get("txt"), FORMATS.get("json"), FORMATS.get("nft")]) {
    assert.ok(format);
    const page = { lists: ["fleet"], families: edition.families, name: "published", timeoutsFrom: undefined };
    await render(format, page, watch.turns);
  }
  assert.ok(watch.turnsGiven() > 20, `${watch.turnsGiven()} turns`);
  assert.ok(watch.longestMs() < SLICE_MAX_MS, `${watch.longestMs()} ms at a stretch`);
});

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
