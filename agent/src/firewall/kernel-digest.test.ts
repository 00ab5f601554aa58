import assert from "node:assert/strict";
import { test } from "node:test";
import { DigestSum } from "@fleetban/proto/model/digest";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { addresses, FLEET, KEY, listing } from "../mirror/mirror.fixture.ts";
import { enforcingFixture, START_SECONDS } from "./firewall.fixture.ts";

const FLEET_V4 = "fleetban-fleet-v4";
const LISTED = [...addresses(300), parsePrefix("2a01::/64"), parsePrefix("82.0.0.0/24")];

function sumOf(prefixes: Iterable<Prefix>): bigint {
  const sum = new DigestSum(KEY, FLEET.list);
  for (const prefix of prefixes) sum.addEntry(prefix);
  return sum.digest;
}

test("the kernel digest is the ledger's sum exactly when nothing is missing and nothing foreign", async () => {
  const agent = await enforcingFixture({ fleet: LISTED.map((prefix) => listing(prefix)) });
  assert.equal(await agent.firewall.kernelDigest(FLEET.list), sumOf(LISTED));
  await agent.kernel.sneak([{ kind: "remove", set: FLEET_V4, prefix: LISTED[5]! }]);
  assert.equal(await agent.firewall.kernelDigest(FLEET.list), sumOf(LISTED.filter((prefix) => prefix !== LISTED[5])));
  await agent.pass(1_000); // repaired
  assert.equal(await agent.firewall.kernelDigest(FLEET.list), sumOf(LISTED));
  const foreign = parsePrefix("99.0.0.1");
  await agent.kernel.sneak([{ kind: "add", set: FLEET_V4, prefix: foreign, timeoutSeconds: 999 }]);
  assert.equal(await agent.firewall.kernelDigest(FLEET.list), sumOf([...LISTED, foreign]));
  await agent.stop();
});

test("expired listings count though the kernel has dropped them; entries kept by the brake do not", async () => {
  const agent = await enforcingFixture({
    fleet: LISTED.map((prefix, n) => listing(prefix, n < 20 ? START_SECONDS + 100 : 0)),
  });
  await agent.pass(200_000);
  assert.equal((await agent.kernel.entries(FLEET_V4)).length, 281);
  assert.equal(await agent.firewall.kernelDigest(FLEET.list), sumOf(LISTED));
  await agent.delta(FLEET, LISTED.slice(20, 300), []);
  await agent.pass(1_000);
  assert.equal(agent.firewall.applied(FLEET.list)?.kept, 280);
  assert.equal(await agent.firewall.kernelDigest(FLEET.list), sumOf([...LISTED.slice(0, 20), ...LISTED.slice(300)]));
  await agent.stop();
});

test("with a line it is the sum of what stands above it", async () => {
  const fleet = LISTED.map((prefix, n) => listing(prefix, 0, n < 100 ? 2 : 5));
  const agent = await enforcingFixture({ fleet }, { capacity: 150, reserve: 10 });
  const { line, leftOut, kernelEntries } = agent.firewall.applied(FLEET.list)!;
  assert.ok(line !== undefined && kernelEntries <= 160 && kernelEntries > 120, `${kernelEntries}`);
  assert.equal(leftOut, LISTED.length - kernelEntries);
  const entries = [...(await agent.kernel.entries(FLEET_V4)), ...(await agent.kernel.entries("fleetban-fleet-v6"))];
  assert.equal(entries.length, kernelEntries);
  assert.equal(await agent.firewall.kernelDigest(FLEET.list), sumOf(entries));
  await agent.stop();
});
