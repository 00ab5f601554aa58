import assert from "node:assert/strict";
import { test } from "node:test";
import { Blocklist } from "@fleetban/proto/model/blocklist";
import type { List } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import { isCutOff, listedOn } from "./listed-on.ts";
import { EXEMPT, FEEDS, FLEET, KEY, listing } from "./mirror.fixture.ts";

const NOW = unixSeconds(1_000);
const ADDRESS = parsePrefix("198.50.0.7");

test("an address is cut off by a listing in force around it, unless something exempts it", () => {
  const cases: [string, [List, string, number][], boolean][] = [
    ["nothing", [], false],
    ["itself", [[FLEET, "198.50.0.7", 0]], true],
    ["a network around it", [[FEEDS, "198.50.0.0/16", 2_000]], true],
    ["another address", [[FLEET, "198.50.0.8", 0]], false],
    ["one that has ended", [[FLEET, "198.50.0.7", 900]], false],
    [
      "exempt itself",
      [
        [FLEET, "198.50.0.7", 0],
        [EXEMPT, "198.50.0.7", 0],
      ],
      false,
    ],
    [
      "inside what is exempt",
      [
        [FLEET, "198.50.0.7", 0],
        [EXEMPT, "198.50.0.0/24", 0],
      ],
      false,
    ],
    [
      "a pardon that has ended",
      [
        [FLEET, "198.50.0.7", 0],
        [EXEMPT, "198.50.0.7", 900],
      ],
      true,
    ],
  ];
  for (const [name, listings, wanted] of cases) assert.equal(isCutOff(mirrorOf(listings), ADDRESS, NOW), wanted, name);
});

test("the deny lists that hold an address are told by name", () => {
  const mirror = mirrorOf([
    [FLEET, "198.50.0.7", 0],
    [FEEDS, "198.50.0.0/24", 0],
    [EXEMPT, "198.50.0.7", 0],
  ]);
  assert.deepEqual(listedOn(mirror, ADDRESS, NOW), ["fleet", "feeds"]);
});

function mirrorOf(listings: readonly [List, string, number][]) {
  const lists = [FLEET, FEEDS, EXEMPT].map((list) => {
    const blocklist = new Blocklist(list.list, KEY);
    for (const [on, prefix, until] of listings) if (on === list) blocklist.put(listing(prefix, until));
    return { list, held: { blocklist } };
  });
  return { lists: () => lists } as never;
}
