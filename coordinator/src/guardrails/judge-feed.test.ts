import assert from "node:assert/strict";
import { test } from "node:test";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { findCollisions } from "./collisions.ts";
import { DEFAULT_GUARDRAILS } from "./guardrails.ts";
import { isTooWide, type JudgedFeed, judgeFeed } from "./judge-feed.ts";

const some = (count: number, from = 0): Prefix[] =>
  Array.from({ length: count }, (_, index) =>
    parsePrefix(`5.${Math.floor((index + from) / 250)}.7.${(index + from) % 250}`),
  );
const prefixes = (...texts: string[]) => texts.map(parsePrefix);

function judge(given: Partial<JudgedFeed>, guardrails = DEFAULT_GUARDRAILS): readonly string[] {
  const quiet = { previous: new Set<Prefix>(), wanted: [], tooWide: [], collisions: [], isEnforced: true };
  return judgeFeed({ ...quiet, ...given }, guardrails);
}

for (const [before, after, isHeld] of [
  [0, 10_000, false],
  [0, 3, false],
  [1_000, 500, false],
  [1_000, 499, true],
  [1_000, 3, true],
  [1_000, 0, true],
  [1_000, 2_000, false],
  [1_000, 2_001, true],
  [10, 2, false],
  [10, 0, true],
] as const) {
  test(`a list of ${after} after one of ${before} is ${isHeld ? "held" : "taken"}`, () => {
    assert.equal(judge({ previous: new Set(some(before)), wanted: some(after) }).length > 0, isHeld);
  });
}

test("a list may be wholly other than the day before", () => {
  assert.deepEqual(judge({ previous: new Set(some(1_000)), wanted: some(1_000, 5_000) }), []);
});

test("the policy says how far a list may shrink and grow", () => {
  const previous = new Set(some(1_000));
  const lax = { ...DEFAULT_GUARDRAILS, shrinkTo: 0.1, growTo: 3 };
  assert.deepEqual(judge({ previous, wanted: some(100) }, lax), []);
  assert.deepEqual(judge({ previous, wanted: some(99) }, lax), [
    "the list shrinks to less than 10 %: 99 entries, it had 1000",
  ]);
  assert.deepEqual(judge({ previous, wanted: some(3_001) }, lax), [
    "the list grows to more than 3 times its size: 3001 entries, it had 1000",
  ]);
});

test("a network wider than anything that is listed holds the whole list, and says which", () => {
  assert.deepEqual(judge({ wanted: some(30), tooWide: prefixes("0.0.0.0/1", "128.0.0.0/1") }), [
    "it names 0.0.0.0/1 and 1 more, wider than anything that is ever listed (approved, the rest of it is taken)",
  ]);
  assert.deepEqual(prefixes("4.0.0.0/7", "4.0.0.0/8", "2600::/12", "2001:4000::/19").map(isTooWide), [
    true,
    false,
    true,
    false,
  ]);
});

test("a new wide network needs an operator, a known one doesn't", () => {
  const [wide] = prefixes("5.8.0.0/13");
  const wanted = [...some(30), wide!];
  assert.deepEqual(judge({ previous: new Set(some(30)), wanted }), ["a new network is wide: 5.8.0.0/13"]);
  assert.deepEqual(judge({ previous: new Set([...some(30), wide!]), wanted }), []);
});

test("many narrow networks that cover much of the internet are held, unless they covered it before", () => {
  const wanted = Array.from({ length: 1_200 }, (_, index) =>
    parsePrefix(`${20 + Math.floor(index / 256)}.${index % 256}.0.0/16`),
  );
  assert.deepEqual(judge({ wanted }), ["it covers 2.1 % of the public IPv4 addresses"]);
  assert.deepEqual(judge({ previous: new Set(wanted), wanted }), []);
});

test("a first list that collides with a pack is held; later it takes more new ones than the policy lets pass", () => {
  const pack = prefixes("5.0.7.0/28").map((prefix) => ({ prefix, kind: "pack" as const, name: "partners" }));
  const wanted = some(40);
  const collisions = findCollisions(wanted, pack);
  assert.deepEqual(judge({ wanted, collisions }), [
    "its first list collides with never-ban packs: partners (16: 5.0.7.0, 5.0.7.1, 5.0.7.2, …)",
  ]);
  assert.deepEqual(judge({ wanted, collisions, isEnforced: false }), []);
  assert.deepEqual(judge({ previous: new Set(wanted), wanted, collisions }), []);
  assert.equal(judge({ previous: new Set(wanted.slice(11)), wanted, collisions }).length, 1);
  assert.deepEqual(judge({ previous: new Set(wanted.slice(10)), wanted, collisions }), []);
});

test("what is allowed or the fleet's own is told, and holds nothing", () => {
  const allowed = prefixes("5.0.7.1").map((prefix) => ({ prefix, kind: "allowed" as const, name: "" }));
  const wanted = some(30);
  assert.deepEqual(judge({ wanted, collisions: findCollisions(wanted, allowed) }), []);
});
