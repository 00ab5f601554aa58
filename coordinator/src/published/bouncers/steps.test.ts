import assert from "node:assert/strict";
import { test } from "node:test";
import { finish } from "@fleetban/kit/slices";
import { rank } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { textOfWords } from "@fleetban/proto/model/prefix-text";
import { blankWords } from "@fleetban/proto/model/prefix-words";
import { listingColumns, readPrefix } from "@fleetban/proto/model/sorted-columns";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import fc from "fast-check";
import { mergeSteps, newestWords, rowsOf, type Step } from "./steps.ts";

const PREFIXES = ["21.0.0.0/24", "21.0.0.0", "21.0.0.1", "21.0.0.2/31", "2600::/64", "2600::1", "2600::2"];
const words = fc.constantFrom("silent", "added", "removed", "changed");
const histories = fc.array(fc.tuple(...PREFIXES.map(() => words)), { minLength: 1, maxLength: 12 });

test("of each prefix the newest word counts, and that it was gone once is not forgotten", () => {
  fc.assert(
    fc.property(histories, (history) => {
      const steps = history.map(stepOf);
      assert.deepEqual(said(steps), expected(history));
    }),
  );
});

test("one step says what those say that it was made of", () => {
  fc.assert(
    fc.property(histories, fc.nat(11), fc.nat(11), (history, from, count) => {
      const steps = history.map(stepOf);
      const some = steps.slice(from, from + count + 1);
      if (some.length === 0) return;
      const one = finish(mergeSteps(some));
      assert.deepEqual([one.from, one.no], [some[0]?.from, some.at(-1)?.no]);
      assert.equal(rowsOf(one), said(some).size);
      const merged = [...steps.slice(0, from), one, ...steps.slice(from + some.length)];
      assert.deepEqual(said(merged), said(steps));
    }),
  );
});

/** By prefix: `gone`, `there`, the number of the step that speaks last. */
function said(steps: readonly Step[]): Map<string, string> {
  const found = new Map<string, string>();
  const prefix = blankWords();
  for (const family of [0, 1]) {
    for (const word of newestWords(steps, family)) {
      if (word === undefined) continue;
      readPrefix(word.columns, word.row, prefix);
      const until = word.columns.untils[word.row] ?? 0;
      found.set(textOfWords(prefix), textOf(word.isGone, word.isThere, until));
    }
  }
  return new Map([...found].sort());
}

function expected(history: readonly (readonly string[])[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const [at, prefix] of PREFIXES.entries()) {
    const spoken = history.map((step) => step[at] ?? "silent");
    const last = spoken.findLastIndex((word) => word !== "silent");
    if (last < 0) continue;
    const isGone = spoken.some((word) => word === "removed" || word === "changed");
    found.set(prefix, textOf(isGone, spoken[last] !== "removed", last + 1));
  }
  return new Map([...found].sort());
}

function textOf(isGone: boolean, isThere: boolean, until: number): string {
  return `${isGone ? "gone " : ""}${isThere ? "there " : ""}${until}`;
}

function stepOf(spoken: readonly string[], at: number): Step {
  const columnsOf = (word: string) =>
    listingColumns(
      PREFIXES.filter((_, index) => spoken[index] === word).map((prefix) => ({
        ...{ prefix: parsePrefix(prefix), until: (at + 1) as UnixSeconds, rank: rank(2), begun: unixSeconds(0) },
      })),
    );
  return {
    from: at,
    no: at + 1,
    added: columnsOf("added"),
    removed: columnsOf("removed"),
    changed: columnsOf("changed"),
  };
}
