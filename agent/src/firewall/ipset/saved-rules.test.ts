import assert from "node:assert/strict";
import { test } from "node:test";
import { namingOurSets, savedRulesWarning } from "./saved-rules.ts";

test("saved rules that name our sets are found; others, comments and absent files are not", () => {
  const rule = "-A fleetban-in -m set --match-set fleetban-fleet-v4 src -j DROP\n";
  const files = [
    { path: "/a", text: `*mangle\n${rule}COMMIT\n` },
    { path: "/b", text: `*mangle\n# ${rule}COMMIT\n` },
    { path: "/c", text: "*mangle\n-A x -m set --match-set other src -j DROP\nCOMMIT\n" },
    { path: "/d", text: undefined },
  ];
  assert.deepEqual(namingOurSets(files), ["/a"]);
  assert.equal(savedRulesWarning([]), undefined);
  assert.match(savedRulesWarning(["/a"]) ?? "", /^\/a: .*next boot/);
});
