import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FEEDS, LIST_FLEET, RANK } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import { untilAfter } from "@fleetban/proto/model/until";
import { createTestDatabase } from "../store/test-database.ts";
import { applyChanges } from "./apply-changes.ts";
import { openTestLedger } from "./ledger.fixture.ts";
import type { Cause } from "./ledger.ts";
import { assertRecounted } from "./recount.fixture.ts";

test("nobody takes a deny list above its ceiling without an operator's word, slice by slice neither", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const put = (kind: Cause["kind"], texts: string[], approved = false) =>
    ledger.write(
      { kind },
      async (_, now) =>
        texts.map((text) => ({
          list: LIST_FEEDS,
          prefix: parsePrefix(text),
          to: { until: untilAfter(now, 3_600), rank: RANK.feedHigh, reasons: [] },
        })),
      { approved },
    );
  for (const net of [20, 21, 22, 23]) await put("feed", [`${net}.0.0.0/8`]);
  for (const kind of ["feed", "policy", "operator"] as const) {
    await assert.rejects(put(kind, ["24.0.0.0/8"]), {
      code: "above-ceiling",
      message: "list feeds: would cover 2.3 % of the public IPv4 addresses",
    });
  }
  await assert.rejects(put("feed", ["2600::/12"]), { code: "above-ceiling" });
  assert.equal((await put("feed", ["24.0.0.0/16", "2600::/32"])).changed, 2); // little is let in
  assert.equal((await put("operator", ["24.0.0.0/8"], true)).changed, 1);
  await assertRecounted(store, [ledger]);
});

test("what sightings would add above the ceiling is left out, and the commit goes on with the rest", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const lists = new Map(ledger.lists().map(({ list }) => [list.list, list]));
  const until = untilAfter(unixSeconds(Math.floor(ledger.ledgerTimeMs() / 1_000)), 3_600);
  const changes = ["45.0.0.0/14", "45.83.64.9", "2a00:1:2:3::/64"].map((text) => ({
    list: LIST_FLEET,
    prefix: parsePrefix(text),
    to: { until, rank: RANK.fleet, reasons: [] },
  }));
  const applied = await store.transaction((sql) => {
    const parts = { key: ledger.digestKey, lists, ceiling: { 4: 0, 6: 0 } };
    return applyChanges(sql, parts, { changes, cause: { kind: "sightings" } });
  });
  assert.deepEqual([applied.changed, applied.refused], [2, ["45.0.0.0/14"]]);
  await assertRecounted(store, [ledger]);
});
