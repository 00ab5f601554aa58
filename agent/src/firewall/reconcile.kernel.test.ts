/** Somebody tampers with a real kernel, and the firewall puts it right, over netlink and through the `ipset` program. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { DigestSum } from "@fleetban/proto/model/digest";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { eventually } from "../../../test/support/fleet/eventually.ts";
import { enterFreshNetns } from "../../../test/support/netns.ts";
import { loadNetlink } from "../drivers/netlink.ts";
import { spawn } from "../drivers/spawn.ts";
import { memoryFiles } from "../mirror/files.fixture.ts";
import { addresses, deltaOnto, EXEMPT, FEEDS, FLEET, heldFixture, KEY, listing } from "../mirror/mirror.fixture.ts";
import { Mirror } from "../mirror/mirror.ts";
import { createFirewall } from "./firewall.ts";
import { openIpsetBackend } from "./ipset/ipset-backend.ts";

const skip = enterFreshNetns();
const REPAIR_DEADLINE_MS = 90_000; // a second and a half when the machine does nothing else
const FEEDS_V4 = "fleetban-feeds-v4";
const FED = addresses(5_000);
const WAYS = {
  netlink: loadNetlink,
  process: () => {
    throw new Error("no netlink in this test");
  },
};

for (const [via, load] of Object.entries(WAYS)) {
  test(`${via}: flushed, destroyed, changed, and without rules, the kernel is right again`, { skip }, async () => {
    await using agent = await enforcing(load);
    assert.equal(agent.firewall.state().via, via);
    const isFull = () => count() === FED.length;

    assert.ok(isFull());
    sh(`ipset flush ${FEEDS_V4}`);
    await eventually("filled again", isFull, REPAIR_DEADLINE_MS);
    const sum = new DigestSum(KEY, FEEDS.list);
    for (const prefix of FED) sum.addEntry(prefix);
    assert.equal(await agent.firewall.kernelDigest(FEEDS.list), sum.digest);

    sh(`ipset del ${FEEDS_V4} ${FED[3]}`);
    assert.notEqual(await agent.firewall.kernelDigest(FEEDS.list), sum.digest);
    sh(`ipset add ${FEEDS_V4} 99.0.0.1 timeout 500`);
    await eventually(
      "neither missing nor foreign",
      () => has(FED[3]!) && !has(parsePrefix("99.0.0.1")),
      REPAIR_DEADLINE_MS,
    );

    sh("iptables -t mangle -F; iptables -t mangle -X; ip6tables -t mangle -F");
    await eventually(
      "rules",
      () => sh("iptables -t mangle -S").includes(FEEDS_V4) && sh("ip6tables -t mangle -S").includes("v6"),
    );
    sh(
      `iptables -t mangle -F; iptables -t mangle -X; ip6tables -t mangle -F; ip6tables -t mangle -X; ipset destroy ${FEEDS_V4}`,
    );
    await eventually("the set and its rule", () => isFull() && sh("iptables -t mangle -S").includes(FEEDS_V4));
    assert.equal(agent.firewall.state().failure, undefined);
  });

  test(`${via}: a fresh ban is in the kernel though a feed is being loaded`, { skip }, async () => {
    await using agent = await enforcing(load);
    const { mirror, firewall } = agent;
    const many = addresses(30_000, 9).map((prefix) => listing(prefix, 0, 5));
    firewall.onSnapshot(FEEDS.list, mirror.replace(FEEDS.list, heldFixture(FEEDS.list, many)), true);
    await eventually("loading", () => count() > FED.length && count() < 35_000);
    const delta = await mirror.applyDelta(deltaOnto(mirror.get(FLEET.list)!.held!, [], [listing("77.0.0.1")]));
    firewall.onDelta(FLEET.list, delta.kind === "applied" ? delta.changes : [], false);
    await firewall.settled();
    assert.match(sh("ipset list fleetban-fleet-v4"), /^77\.0\.0\.1 /m);
    await eventually("loaded", () => count() === 30_000, 120_000);
  });
}

async function enforcing(load: typeof loadNetlink) {
  const backend = await openIpsetBackend({ loadNetlink: load, spawn, clock: systemClock, log: silentLog });
  const mirror = new Mirror(systemClock);
  mirror.setLists([EXEMPT, FLEET, FEEDS]);
  mirror.replace(EXEMPT.list, heldFixture(EXEMPT.list, [listing("81.0.0.9", 0, 1)]));
  mirror.replace(FLEET.list, heldFixture(FLEET.list, []));
  mirror.replace(
    FEEDS.list,
    heldFixture(
      FEEDS.list,
      FED.map((prefix) => listing(prefix, 0, 5)),
    ),
  );
  const parts = { backend, mirror, clock: systemClock, ledgerClock: systemClock, random: systemRandom, log: silentLog };
  const settings = { capacity: 0, leaseSeconds: 3_600, localSeconds: 3_600 };
  const firewall = createFirewall({ ...parts, files: memoryFiles() }, settings);
  await firewall.start();
  firewall.setOwn([parsePrefix("93.184.216.1")]);
  const stop = new AbortController();
  const running = firewall.run(stop.signal).catch(() => undefined);
  await eventually(
    "enforced",
    () => firewall.applied(FEEDS.list)?.revision === 1 && firewall.state().rules.kind === "present",
  );
  return {
    ...{ mirror, firewall },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await backend.uninstall();
      await backend.close();
    },
  };
}

function count(): number {
  return Number(/entries: (\d+)/.exec(sh(`ipset list -t ${FEEDS_V4} 2>/dev/null || true`))?.[1] ?? -1);
}

function has(prefix: Prefix): boolean {
  return sh(`ipset test ${FEEDS_V4} ${prefix} 2>&1 || true`).includes("is in set");
}

function sh(script: string): string {
  return execFileSync("sh", ["-ec", script], { encoding: "utf8", maxBuffer: 64 << 20 });
}
