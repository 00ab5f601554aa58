import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_EXEMPT, LIST_FLEET } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { DEFAULT_POLICY } from "../policy/policy-in-force.ts";
import { createTestDatabase } from "../store/test-database.ts";
import { openTestLedger } from "./ledger.fixture.ts";
import { assertRecounted } from "./recount.fixture.ts";
import { batchOf, sightingOf } from "./sightings.fixture.ts";

const widening = { ...DEFAULT_POLICY.widening, 4: { members: 3, agents: 2, lengths: [24] } };
const SITE = parsePrefix("2a0a:0:0:ff00::/56");
const NEIGHBORHOOD = parsePrefix("198.50.0.0/24");

test("an IPv6 site is listed with the fourth of its networks, and not for many addresses of one", async (t) => {
  const place = await openPlace(t);
  for (const [at, agentNo] of [1, 2, 1, 2].entries()) await place.see(agentNo, [`2a0a:0:0:ff01::${at + 1}`]);
  assert.equal(place.ledger.get(LIST_FLEET, SITE), undefined);
  await place.see(1, ["2a0a:0:0:ff02::1", "2a0a:0:0:ff03::1"]);
  assert.equal(place.ledger.get(LIST_FLEET, SITE), undefined);
  await place.see(2, ["2a0a:0:0:ff04::1"]);
  const [listing] = await place.reasons(SITE);
  assert.deepEqual(listing?.reasons, [{ kind: "widened", key: "4" }]);
  const inside = await place.ledger.inside(SITE, 10);
  const ends = inside.map((one) => one.listing.until);
  assert.equal(place.ledger.get(LIST_FLEET, SITE)?.until, Math.min(...ends), "it ends with the first of the four");
  await assertRecounted(place.store, [place.ledger]);
});

test("a neighborhood of IPv4 is listed where the policy says so, within one commit too", async (t) => {
  const asked = await openPlace(t, { widening });
  await asked.see(1, ["198.50.0.1", "198.50.0.2"]);
  await asked.see(2, ["198.50.0.3"]);
  assert.notEqual(asked.ledger.get(LIST_FLEET, NEIGHBORHOOD), undefined);
  await asked.see(1, ["198.51.0.1", "198.51.0.2", "198.51.0.3"]);
  assert.equal(asked.ledger.get(LIST_FLEET, parsePrefix("198.51.0.0/24")), undefined, "one agent is not enough");
  const unasked = await openPlace(t);
  for (const agentNo of [1, 2, 3]) await unasked.see(agentNo, [`198.50.0.${agentNo}`]);
  assert.equal(unasked.ledger.get(LIST_FLEET, NEIGHBORHOOD), undefined);
});

test("nothing is widened over the fleet's own addresses or what is allowed, and strikes before a pardon don't count", async (t) => {
  const place = await openPlace(t, { widening });
  const { ledger, store } = place;
  await ledger.setAgentAddresses(7, [{ address: parsePrefix("198.50.0.77"), origin: "observed" }]);
  for (const agentNo of [1, 2, 3]) await place.see(agentNo, [`198.50.0.${agentNo}`, `198.52.0.${agentNo}`]);
  assert.equal(ledger.get(LIST_FLEET, NEIGHBORHOOD), undefined, "an agent lives there");
  assert.notEqual(ledger.get(LIST_FLEET, parsePrefix("198.52.0.0/24")), undefined);
  for (const agentNo of [1, 2]) await place.see(agentNo, [`198.53.0.${agentNo}`]);
  await store.sql`
    insert into pardons (prefix, reason, author, ended_at) values ('198.53.0.1', 'a mistake', 'test', clock_timestamp())`;
  await place.see(3, ["198.53.0.3"]);
  assert.equal(ledger.get(LIST_FLEET, parsePrefix("198.53.0.0/24")), undefined, "two of three are left");
  await place.see(3, ["198.53.0.4"]);
  assert.notEqual(ledger.get(LIST_FLEET, parsePrefix("198.53.0.0/24")), undefined);
});

test("an own address that comes to lie in a widened listing gets a hole, and what rests on a void goes", async (t) => {
  const place = await openPlace(t, { widening });
  const { ledger } = place;
  for (const agentNo of [1, 2, 3]) await place.see(agentNo, [`198.50.0.${agentNo}`]);
  const own = parsePrefix("198.50.0.77");
  await ledger.setAgentAddresses(7, [{ address: own, origin: "observed" }]);
  assert.notEqual(ledger.get(LIST_EXEMPT, own), undefined);
  await ledger.write({ kind: "operator" }, async (sql, now) => {
    const first = parsePrefix("198.50.0.1");
    await sql`update strikes set voided_at = clock_timestamp(), voided_by = 'test' where prefix = ${first}::cidr`;
    return ledger.decideAnew(sql, [first], now);
  });
  assert.equal(ledger.get(LIST_FLEET, NEIGHBORHOOD), undefined);
  assert.equal(ledger.get(LIST_EXEMPT, own), undefined, "no listing, no hole");
  assert.notEqual(ledger.get(LIST_FLEET, parsePrefix("198.50.0.2")), undefined, "the others stay");
});

async function openPlace(t: Parameters<typeof createTestDatabase>[0], policy = {}) {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store, { policy });
  const sent = new Map<number, number>();
  return {
    store,
    ledger,
    async see(agentNo: number, addresses: readonly string[]) {
      const firstSeq = (sent.get(agentNo) ?? 0) + 1;
      sent.set(agentNo, firstSeq + addresses.length - 1);
      const sightings = addresses.map((address) => sightingOf(ledger, address));
      await ledger.commitSightings(batchOf(ledger, agentNo, firstSeq, sightings, `spool of ${agentNo}`));
    },
    reasons: (prefix: string) =>
      store.sql<{ reasons: unknown }[]>`select reasons from listings where prefix = ${prefix}::cidr`,
  };
}
