/** What `nft` makes of our text is what we would have written: the agent that finds it after a boot changes nothing. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { enterFreshNetns } from "../../../../test/support/netns.ts";
import { loadNetlink } from "../../drivers/netlink.ts";
import type { DenyRule } from "../backend.ts";
import { add, ruleFixture } from "../conformance.fixture.ts";
import type { EntryHook } from "../ipset/rule-text.ts";
import { openNftablesBackend } from "./nftables-backend.ts";
import { bundleText, rulesText } from "./rule-text.ts";

const skip = enterFreshNetns();
const MAIL: DenyRule = {
  ...ruleFixture,
  deny: { 4: "fleetban-c-v4", 6: "fleetban-c-v6" },
  verdict: "reject",
  reach: { kind: "ports", protocol: "tcp", ranges: [25, 465].map((first) => ({ first, last: first })) },
};
const RANGE: DenyRule = {
  ...MAIL,
  reach: { kind: "ports", protocol: "sctp", ranges: [{ first: 100, last: 200 }] },
};

for (const hook of ["conntrack", "raw"] as const satisfies readonly EntryHook[]) {
  test(`rules as text and rules as bytes are the same, ${hook}`, { skip }, async () => {
    const rules = [ruleFixture, MAIL, RANGE];
    nft("flush ruleset");
    for (const family of [4, 6] as const) {
      const names = ["a", "b", "c"].map((name) => `fleetban-${name}-v${family}`);
      for (const name of names) nft(bundleText({ name, family, maxEntries: 100 }).join("\n"));
      nft(rulesText(rules, family, hook).join("\n"));
    }
    const backend = await openNftablesBackend({ loadNetlink, clock: systemClock, log: silentLog, hook });
    const handles = nft("list ruleset", "-a");
    assert.deepEqual(await backend.ruleState(rules), { kind: "present" });
    await backend.ensureRules(rules);
    assert.equal(nft("list ruleset", "-a"), handles);
    nft("insert rule ip fleetban fleetban-c-v4/listed accept");
    assert.deepEqual(await backend.ruleState(rules), {
      kind: "missing",
      what: "rule 1 of 3 in chain fleetban-c-v4/listed (IPv4)",
    });
    await backend.close();
  });
}

test("a ruleset saved with ours in it loads again: `nft list ruleset > /etc/nftables.conf`", { skip }, async () => {
  nft("flush ruleset");
  const backend = await openNftablesBackend({ loadNetlink, clock: systemClock, log: silentLog });
  for (const [family, prefixes] of [
    [4, ["1.2.3.4", "1.2.0.0/16"]],
    [6, ["2a00::1", "2a00:1::/48"]],
  ] as const) {
    for (const list of ["a", "b", "c"]) {
      const set = `fleetban-${list}-v${family}`;
      await backend.createSet({ name: set, family, maxEntries: 100 });
      assert.deepEqual(await backend.apply(prefixes.map((prefix) => add(set, prefix))), []);
    }
  }
  await backend.ensureRules([ruleFixture, MAIL, RANGE]);
  const saved = nft("list ruleset");
  nft(`flush ruleset\n${saved}`);
  assert.deepEqual(await backend.ruleState([ruleFixture, MAIL, RANGE]), { kind: "present" });
  assert.equal((await Array.fromAsync(backend.readSet("fleetban-c-v6"))).flat().length, 2);
  await backend.close();
});

function nft(text: string, option?: string): string {
  return execFileSync("nft", [...(option === undefined ? [] : [option]), "-f", "-"], {
    input: `${text}\n`,
    encoding: "utf8",
  });
}
