import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Change, collapse } from "./changes.ts";
import { listingOver, poolPrefix } from "./listing.fixture.ts";

const change: fc.Arbitrary<Change> = fc.oneof(
  listingOver(poolPrefix).map((listing) => ({ prefix: listing.prefix, after: listing })),
  poolPrefix.map((prefix) => ({ prefix, after: undefined })),
);

test("collapsed changes lead where all of them lead, with one change a prefix", () => {
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const collapsed = collapse(changes);
      assert.deepEqual(outcome(collapsed), outcome(changes));
      assert.equal(new Set(collapsed.map(({ prefix }) => prefix)).size, collapsed.length);
    }),
  );
});

function outcome(changes: readonly Change[]) {
  return new Map(changes.map(({ prefix, after }) => [prefix, after]));
}
