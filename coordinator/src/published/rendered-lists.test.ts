import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { rank } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { listingColumns } from "@fleetban/proto/model/sorted-columns";
import { unixSeconds } from "@fleetban/proto/model/time";
import type { Edition } from "./edition.ts";
import { readListRequest } from "./list-request.ts";
import { createRenderedLists } from "./rendered-lists.ts";

const NOW = unixSeconds(1_800_000_000);

test("a list is rendered once for everybody who asks for the same", async () => {
  const rendered = openRendered();
  const edition = editionOf(1);
  assert.equal(await rendered.of(edition, wish("a"), 255), await rendered.of(edition, wish("a"), 255));
  const other = await rendered.of(edition, wish("a"), 2);
  assert.ok(other !== (await rendered.of(edition, wish("a"), 255)));
});

test("what was made of an edition that was replaced is not kept, though nobody asks for the same again", async () => {
  const rendered = openRendered();
  const [old, next] = [editionOf(1), editionOf(2)];
  const first = await rendered.of(old, wish("a"), 255);
  await rendered.of(next, wish("b"), 255);
  assert.ok((await rendered.of(old, wish("a"), 255)) !== first);
});

test("who asks under ever new names fills no memory, and many at once wait for nothing in vain", async () => {
  const rendered = openRendered();
  const edition = editionOf(1);
  const first = await rendered.of(edition, wish("first"), 255);
  for (let at = 0; at < 300; at += 1) await rendered.of(edition, wish(`n${at}`), 255);
  assert.ok((await rendered.of(edition, wish("first"), 255)) !== first);
  const flood = Array.from({ length: 100 }, (_, at) => rendered.of(edition, wish(`f${at}`), 255));
  const refused = (await Promise.allSettled(flood)).filter(({ status }) => status === "rejected");
  assert.ok(refused.length > 0 && refused.length < 100, `${refused.length} of 100`);
  assert.equal((refused[0] as PromiseRejectedResult).reason.status, 503);
  await rendered.of(edition, wish("after"), 255);
});

function openRendered() {
  return createRenderedLists({ clock: systemClock, ledgerTimeMs: () => NOW * 1_000 });
}

function wish(name: string) {
  return readListRequest("all.ipset", new URLSearchParams({ name }));
}

function editionOf(no: number): Edition {
  const listing = { prefix: parsePrefix("21.0.0.7"), until: unixSeconds(0), rank: rank(2), begun: unixSeconds(0) };
  return {
    ...{ no, lists: ["fleet"], isForOwnUse: false, families: listingColumns([listing]), size: 1, leftOut: 0 },
    ...{ epoch: "" as never, revision: no as never, asOf: NOW, goodUntil: unixSeconds(0) },
  };
}
