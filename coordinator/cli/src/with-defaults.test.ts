import assert from "node:assert/strict";
import { test } from "node:test";
import { withDefaults } from "./with-defaults.ts";

const cases: readonly (readonly [string, string])[] = [
  ["", "status"],
  ["--json", "--json status"],
  ["--socket /x", "--socket /x status"],
  ["--help", "--help"],
  ["agents", "agents list"],
  ["agent --group web", "agent list --group web"],
  ["agents --help", "agents --help"],
  ["agents probe", "agents probe"],
  ["--json bans", "--json bans list"],
  ["ban list", "bans list"],
  ["--socket ban ban remove 3", "--socket ban bans remove 3"],
  ["ban 8.8.8.8", "ban 8.8.8.8"],
  ["help agents", "help agents"],
  ["help agents move", "agents move --help"],
  ["help publish tokens create", "publish tokens create --help"],
  ["help ban list", "bans list --help"],
  ["policy", "policy show"],
  ["policies --json", "policies show --json"],
  ["policy check a.yaml", "policy check a.yaml"],
  ["policy --help", "policy --help"],
  ["publish --json", "publish tokens list --json"],
  ["publish token", "publish token list"],
  ["publish tokens revoke 3", "publish tokens revoke 3"],
  ["bam 8.8.8.8", "bam 8.8.8.8"],
];

for (const [typed, meant] of cases) {
  test(`fleetban ${typed} is fleetban ${meant}`, () => {
    assert.equal(withDefaults(typed === "" ? [] : typed.split(" ")).join(" "), meant);
  });
}
