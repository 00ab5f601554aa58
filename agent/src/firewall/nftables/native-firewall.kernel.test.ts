import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { enterFreshNetns } from "../../../../test/support/netns.ts";
import { loadNetlink } from "../../drivers/netlink.ts";
import { openBackend } from "../../drivers/open-backend.ts";
import { createPairs, ruleFixture } from "../conformance.fixture.ts";
import { findNativeFirewall } from "./native-firewall.ts";

const skip = enterFreshNetns();
const AUTO = { backend: "auto", hook: "conntrack", ipset_via: "auto" } as const;
const INPUT = "type filter hook input priority 0; policy accept;";

test("a native firewall is told from iptables on nftables, from fail2ban's table, and from ours", {
  skip,
}, async () => {
  const open = await loadNetlink();
  const found: Record<string, string | undefined> = {};
  const look = (name: string, script: string) => {
    sh("nft flush ruleset");
    sh(script);
    found[name] = findNativeFirewall(open);
  };
  look("nothing", "true");
  look("iptables", "iptables-nft -A INPUT -p tcp --dport 22 -j ACCEPT; ip6tables-nft -t raw -A PREROUTING -j ACCEPT");
  look("fail2ban", `nft 'table inet f2b-table { chain f2b-chain { ${INPUT} }; }'`);
  look("a table without a hook", "nft 'table inet store { set s { type ipv4_addr; }; }'");
  look("nftables.service", `nft 'table inet filter { chain input { ${INPUT} }; }'`);
  look("one of IPv4 only", `nft 'table ip mine { chain input { ${INPUT} }; }'`);
  assert.deepEqual(found, {
    nothing: undefined,
    iptables: undefined,
    fail2ban: undefined,
    "a table without a hook": undefined,
    "nftables.service": "filter",
    "one of IPv4 only": "mine",
  });
});

test("a ruleset that its owner saves loads again, because auto takes nftables there and not ipset", {
  skip,
}, async () => {
  for (const [name, loads] of [
    ["auto", true],
    ["ipset", false],
  ] as const) {
    sh(`nft flush ruleset; nft 'table inet filter { chain input { ${INPUT} }; }'`);
    const backend = await openBackend({ ...AUTO, backend: name }, systemClock, silentLog);
    assert.equal(backend.name, name === "auto" ? "nftables" : "ipset");
    await createPairs(backend);
    await backend.ensureRules([ruleFixture]);
    const saved = `flush ruleset\n${sh("nft list ruleset")}`;
    const load = () => execFileSync("nft", ["-f", "-"], { input: saved, stdio: ["pipe", "pipe", "pipe"] });
    if (loads) load();
    else assert.throws(load, /syntax error/); // "xt match set"
    await backend.uninstall();
    await backend.close();
  }
});

test("auto takes ipset where nobody uses native nftables", { skip }, async () => {
  sh("nft flush ruleset; iptables-nft -A INPUT -p tcp --dport 22 -j ACCEPT");
  const backend = await openBackend(AUTO, systemClock, silentLog);
  assert.equal(backend.name, "ipset");
  await backend.close();
});

function sh(script: string): string {
  return execFileSync("sh", ["-ec", script], { encoding: "utf8" });
}
