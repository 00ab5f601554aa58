/**
 * The firewall on nftables, and from one backend to another and back, under packets of a listed source every 5 ms: none is
 * delivered (invariant 4), and nothing of the former backend is left.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { eventually } from "../../../test/support/fleet/eventually.ts";
import { arrives, isDropped } from "../../../test/support/fleet/packets.ts";
import { type EnforcingBackend, OPENERS } from "../drivers/backend-openers.ts";
import { otherBackends } from "../drivers/open-backend.ts";
import { memoryFiles } from "../mirror/files.fixture.ts";
import { addresses, deltaOnto, EXEMPT, FEEDS, FLEET, heldFixture, listing } from "../mirror/mirror.fixture.ts";
import { Mirror } from "../mirror/mirror.ts";
import { createFirewall } from "./firewall.ts";
import { replaceFormerBackends } from "./former-backend.ts";
import { openPacketStage, type PacketStage, PEER, sh, WITNESS } from "./packet-stage.fixture.ts";

const skip = process.geteuid?.() === 0 ? false : "needs root";
const REPAIR_DEADLINE_MS = 90_000; // a second and a half when the machine does nothing else
const FEEDS_V4 = "fleetban-feeds-v4";
const LOCAL = "99.1.2.3";
const NETWORK = "99.9.0.0/16";

let stage: PacketStage;
let mirror: Mirror;
const files = memoryFiles();

before(async () => {
  if (skip !== false) return;
  stage = await openPacketStage();
  await arrives(stage.receiver, PEER.v4);
  mirror = new Mirror(systemClock);
  mirror.setLists([EXEMPT, FLEET, FEEDS]);
  mirror.replace(EXEMPT.list, heldFixture(EXEMPT.list, [listing(WITNESS.v4, 0, 1), listing(WITNESS.v6, 0, 1)]));
  mirror.replace(FLEET.list, heldFixture(FLEET.list, []));
  // The witness is inside the listed networks, and exempt.
  const listed = ["2a01:4f8:1::/120", "45.33.9.8/29", NETWORK].map((prefix) => listing(prefix, 0, 5));
  mirror.replace(FEEDS.list, heldFixture(FEEDS.list, listed));
});

after(async () => {
  if (skip !== false) return;
  await stage[Symbol.asyncDispose]();
});

test("from ipset to nftables and back no packet gets in, and nothing of the former is left", { skip }, async () => {
  {
    await using first = await startAgent("ipset");
    first.firewall.addLocal(parsePrefix(LOCAL), 900);
    await first.firewall.settled();
  }
  const delivered = await deliveredWhile(async () => {
    for (const name of ["nftables", "ipset", "nftables"] as const) {
      await using agent = await startAgent(name);
      await agent.takenOver;
      const [nft, ipset] = [sh("nft list tables"), sh("ipset list -n")];
      assert.equal(nft.includes("fleetban"), name === "nftables", nft);
      assert.equal(ipset.includes("fleetban"), name === "ipset", ipset);
      assert.equal(sh("iptables-nft-save").includes("fleetban"), name === "ipset");
      const backend = await OPENERS[name]({ config: {}, clock: systemClock, log: silentLog });
      assert.equal(await backend.testEntry("fleetban-local-v4", parsePrefix(LOCAL)), true);
      await backend.close();
    }
  });
  assert.deepEqual(delivered, []);
});

test("nftables: sets grow by swap, and no packet gets in", { skip }, async () => {
  await using agent = await startAgent("nftables");
  const size = () => Number(/size (\d+)/.exec(sh("nft list sets ip").split(`${FEEDS_V4}`)[1] ?? "")?.[1] ?? 0);
  const stemBefore = sh(`nft list chain ip fleetban ${FEEDS_V4}`);
  const delivered = await deliveredWhile(async () => {
    const held = mirror.get(FEEDS.list)!.held!;
    const more = addresses(size() + 500).map((prefix) => listing(prefix, 0, 5));
    const delta = await mirror.applyDelta(deltaOnto(held, [], more));
    assert.equal(delta.kind, "applied");
    if (delta.kind === "applied") agent.firewall.onDelta(FEEDS.list, delta.changes, false);
    const isIn = () => agent.firewall.applied(FEEDS.list)?.revision === mirror.get(FEEDS.list)!.held!.revision;
    await eventually("a larger set", isIn, 120_000);
  });
  assert.deepEqual(delivered, []);
  assert.notEqual(sh(`nft list chain ip fleetban ${FEEDS_V4}`), stemBefore);
});

test("nftables: whatever others do to the tables, sets, rules and exemptions are back soon", { skip }, async () => {
  await using agent = await startAgent("nftables");
  const tamperings = {
    "nft flush ruleset": "nft flush ruleset",
    "the table deleted": "nft delete table ip fleetban",
    "the hook's chain emptied": "nft flush chain ip fleetban fleetban-in",
    "a set emptied": `nft flush set ip fleetban "$(nft list chain ip fleetban ${FEEDS_V4} | sed -n 's/.*saddr @\\([^ ]*\\) .*/\\1/p')"`,
    "the lookups of a set removed": `nft flush chain ip fleetban ${FEEDS_V4}`,
    "a rule before ours": "nft insert rule ip fleetban fleetban-in accept",
    "iptables' own": "iptables-nft -t mangle -F; iptables-nft -t raw -F",
  };
  const witness = stage.receiver.watch(WITNESS.v6); // by IPv4 it reaches a second address when DNAT is flushed
  for (const [name, script] of Object.entries(tamperings)) {
    sh(script);
    await eventually(
      `${name}: dropped again`,
      async () => (await isDropped(stage.receiver, PEER.v4, WITNESS.v4)) && agent.isWhole(),
      REPAIR_DEADLINE_MS,
    );
  }
  assert.equal(witness.lost(), 0, "the exempt are let in all the time");
  assert.equal(agent.firewall.state().failure, undefined);
});

async function startAgent(name: EnforcingBackend) {
  const backend = await OPENERS[name]({ config: {}, clock: systemClock, log: silentLog });
  const parts = { backend, mirror, clock: systemClock, ledgerClock: systemClock, random: systemRandom, log: silentLog };
  const firewall = createFirewall({ ...parts, files }, { capacity: 0, leaseSeconds: 3_600, localSeconds: 3_600 });
  await firewall.start();
  firewall.setOwn([parsePrefix("45.33.1.1")]);
  const stop = new AbortController();
  const running = firewall.run(stop.signal).catch(() => undefined);
  // From the first moment, as the agent does it.
  const takenOver = replaceFormerBackends(
    { others: otherBackends(name, systemClock, silentLog), firewall, clock: systemClock, log: silentLog },
    stop.signal,
  ).catch(() => undefined);
  const isIn = () => firewall.applied(FEEDS.list)?.revision === mirror.get(FEEDS.list)?.held?.revision;
  await eventually("enforced", () => isIn() && firewall.state().rules.kind === "present", 120_000);
  return {
    firewall,
    /** The kernel holds as many as it is to hold. */
    async isWhole() {
      const headers = new Map((await backend.headers()).map((header) => [header.name, header.entries]));
      return headers.get(FEEDS_V4) === mirror.get(FEEDS.list)!.held!.blocklist.sizeOf(4);
    },
    takenOver,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await backend.close();
    },
  };
}

/** From the moment at which all that was sent before has arrived. */
async function deliveredWhile(act: () => Promise<void>): Promise<readonly string[]> {
  await stage.settle();
  const sources = [PEER.v4, PEER.v6];
  const before = sources.map((source) => stage.receiver.count(source));
  await act();
  await stage.settle();
  return sources.flatMap((source, at) => {
    const delivered = stage.receiver.count(source) - before[at]!;
    return delivered === 0 ? [] : [`${delivered} of ${source}`];
  });
}
