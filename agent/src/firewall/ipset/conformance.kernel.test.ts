import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { eventually } from "../../../../test/support/fleet/eventually.ts";
import { enterFreshNetns } from "../../../../test/support/netns.ts";
import { loadNetlink } from "../../drivers/netlink.ts";
import { spawn } from "../../drivers/spawn.ts";
import type { Backend } from "../backend.ts";
import { add, CONFORMANCE_CASES, createPairs, ruleFixture } from "../conformance.fixture.ts";
import { openIpsetBackend } from "./ipset-backend.ts";

const skip = enterFreshNetns();

const WAYS = {
  netlink: loadNetlink,
  process: () => Promise.reject(new Error("no netlink in this test")),
};

for (const [via, load] of Object.entries(WAYS)) {
  const open = () => openIpsetBackend({ loadNetlink: load, spawn, clock: systemClock, log: silentLog });
  const check = (name: string, run: (backend: Backend) => Promise<void>) =>
    test(`${via}: ${name}`, { skip }, async () => {
      const backend = await open();
      try {
        assert.equal(backend.via, via);
        await run(backend);
      } finally {
        await backend.uninstall();
        await backend.close();
      }
    });

  for (const { name, run } of CONFORMANCE_CASES) check(name, run);

  check("somebody else's sets, chains and rules are neither listed nor removed", async (backend) => {
    sh("ipset create other-v4 hash:ip; ipset create fleetbanish hash:net");
    sh(
      "iptables-nft -t mangle -N other; iptables-nft -t mangle -A PREROUTING -j other; ip6tables-nft -t raw -N other6",
    );
    const before = foreign();
    await createPairs(backend);
    await backend.ensureRules([ruleFixture]);
    assert.equal((await backend.headers()).length, 4);
    await backend.uninstall();
    assert.equal(foreign(), before);
    sh(
      "iptables-nft -t mangle -F; iptables-nft -t mangle -X; ip6tables-nft -t raw -X; ipset destroy other-v4; ipset destroy fleetbanish",
    );
  });

  check("a set of another type under our name is not used", async (backend) => {
    sh("ipset create fleetban-a-v4 hash:ip timeout 0");
    await assert.rejects(backend.createSet({ name: "fleetban-a-v4", family: 4, maxEntries: 9 }), {
      code: "set-mismatch",
    });
    sh("ipset destroy fleetban-a-v4; ipset create fleetban-a-v4 hash:net");
    await assert.rejects(backend.createSet({ name: "fleetban-a-v4", family: 4, maxEntries: 9 }), /without timeouts/);
  });

  check("what somebody else's rule still names is left, the rest uninstalled, and said", async (backend) => {
    await createPairs(backend);
    sh("iptables-nft -t raw -A PREROUTING -m set --match-set fleetban-a-v4 src");
    await assert.rejects(backend.uninstall(), { code: "set-in-use", message: /fleetban-a-v4/ });
    assert.deepEqual(
      (await backend.headers()).map(({ name }) => name),
      ["fleetban-a-v4"],
    );
    sh("iptables-nft -t raw -F");
  });

  check("an entry's counters are read, and renewing it keeps them", async (backend) => {
    await createPairs(backend);
    sh("ipset add fleetban-a-v4 1.2.3.4 timeout 60 packets 7 bytes 5000000000");
    sh("ipset add fleetban-a-v6 2a00::1 timeout 60 packets 1 bytes 40");
    await backend.apply([add("fleetban-a-v4", "1.2.3.4", 900), add("fleetban-a-v4", "1.2.3.5", 900)]);
    assert.deepEqual(await counted(backend, "fleetban-a-v4"), [
      ["1.2.3.4", 7, 5_000_000_000],
      ["1.2.3.5", 0, 0],
    ]);
    assert.deepEqual(await counted(backend, "fleetban-a-v6"), [["2a00::1", 1, 40]]);
  });

  check("a set of an older version has no counters and serves, until one that has takes its place", async (backend) => {
    sh("ipset create fleetban-a-v4 hash:net timeout 0");
    const spec = { name: "fleetban-a-v4", family: 4, maxEntries: 9 } as const;
    assert.equal(await backend.createSet(spec), "exists");
    await backend.apply([add("fleetban-a-v4", "1.2.3.4", 900)]);
    assert.deepEqual(await counted(backend, "fleetban-a-v4"), [["1.2.3.4", 0, 0]]);
    await backend.createSet({ ...spec, name: "fleetban-a-v4-n" });
    await backend.swapSets("fleetban-a-v4", "fleetban-a-v4-n");
    assert.match(sh("ipset list -t fleetban-a-v4"), / counters /);
  });

  check("an entry ends when its time has passed", async (backend) => {
    await createPairs(backend);
    const op = add("fleetban-a-v4", "1.2.3.4", 5);
    await backend.apply([op]);
    assert.equal(await backend.testEntry(op.set, op.prefix), true);
    await eventually("it has left the set", async () => !(await backend.testEntry(op.set, op.prefix)));
  });
}

async function counted(backend: Backend, set: string): Promise<[string, number, number][]> {
  const pieces = await Array.fromAsync(backend.readSet(set));
  const rows = pieces.flat().map(({ prefix, packets, bytes }): [string, number, number] => [prefix, packets, bytes]);
  return rows.toSorted(([one], [other]) => (one < other ? -1 : 1));
}

function sh(script: string): string {
  return execFileSync("sh", ["-ec", script], { encoding: "utf8" });
}

/** All that is not ours, as the programs list it. */
function foreign(): string {
  const rules = ["iptables-nft-save", "ip6tables-nft-save"].map((program) => sh(`${program} | grep -v '^#'`)).join("");
  const others = rules.replace(/^\*mangle\n(:\w+ ACCEPT \[0:0\]\n)*COMMIT\n/m, ""); // an empty table stays behind
  return `${others}${sh("ipset list -n | grep -v ^fleetban-")}`.replace(/\[\d+:\d+\]/g, "");
}
