import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { Blocklist } from "@fleetban/proto/model/blocklist";
import { blocklistOf } from "@fleetban/proto/model/blocklist-columns";
import type { Digest } from "@fleetban/proto/model/digest";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { listingColumns } from "@fleetban/proto/model/sorted-columns";
import fc from "fast-check";
import { deltaOnto, FLEET, heldFixture, KEY, listing } from "./mirror.fixture.ts";
import { Mirror } from "./mirror.ts";

const prefix = fc.nat(30).map((n) => parsePrefix(`81.0.0.${n}`));
const change = fc.record({ prefix, until: fc.nat(9), rank: fc.nat(10), isRemoval: fc.boolean() });

test("a mirror that got every delta equals the ledger, digest and count included", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uniqueArray(change, { selector: (one) => one.prefix }), { maxLength: 8 }),
      async (steps) => {
        const mirror = mirrorOf(heldFixture(FLEET.list, []));
        const ledger = new Blocklist(FLEET.list, KEY);
        for (const step of steps) {
          const remove = step.filter((one) => one.isRemoval).map((one) => one.prefix);
          const put = step.filter((one) => !one.isRemoval).map((one) => listing(one.prefix, one.until, one.rank));
          const outcome = await mirror.applyDelta(deltaOnto(mirror.get(FLEET.list)!.held!, remove, put));
          assert.equal(outcome.kind, "applied");
          for (const one of remove) ledger.remove(one);
          for (const one of put) ledger.put(one);
        }
        const { blocklist } = mirror.get(FLEET.list)!.held!;
        assert.deepEqual([...blocklist.sorted()], [...ledger.sorted()]);
        assert.equal(blocklist.digest, ledger.digest);
      },
    ),
  );
});

test("a delta that differs in anything changes nothing", async () => {
  const held = heldFixture(FLEET.list, [listing("81.0.0.1"), listing("81.0.0.2")]);
  const good = deltaOnto(held, [parsePrefix("81.0.0.1")], [listing("81.0.0.3")]);
  const bad = [
    { ...good, listings: 3 },
    { ...good, remove: [] },
    { ...good, put: [listing("81.0.0.3", 5)] },
    { ...good, fromRevision: good.toRevision },
    { ...good, epoch: "ffffffffffffffffffffffffffffffff" as typeof good.epoch },
  ];
  for (const delta of bad) {
    const mirror = mirrorOf(heldFixture(FLEET.list, [listing("81.0.0.1"), listing("81.0.0.2")]));
    assert.equal((await mirror.applyDelta(delta)).kind, "mismatch");
    assert.deepEqual(mirror.positions(), mirrorOf(held).positions());
  }
});

test("a list that no message names any more stays; only its removal takes it away", () => {
  const mirror = mirrorOf(heldFixture(FLEET.list, [listing("81.0.0.1")]));
  mirror.setLists([]);
  assert.equal(mirror.get(FLEET.list)?.held?.blocklist.size, 1);
  mirror.removeList(FLEET.list);
  assert.equal(mirror.get(FLEET.list), undefined);
});

test("a snapshot believed by its SHA-256 is summed later, and found out when its digest is another", async () => {
  const columns = listingColumns([listing("81.0.0.1")]);
  const honest = blocklistOf({ list: FLEET.list, key: KEY }, columns);
  const lying = blocklistOf({ list: FLEET.list, key: KEY }, columns, 5n as Digest);
  const mirror = mirrorOf(heldFixture(FLEET.list, [], { blocklist: honest, isDigestProven: false }));
  assert.equal(await mirror.proveDigest(FLEET.list), true);
  assert.equal(mirror.get(FLEET.list)?.held?.isDigestProven, true);
  const deceived = mirrorOf(heldFixture(FLEET.list, [], { blocklist: lying, isDigestProven: false }));
  assert.equal(await deceived.proveDigest(FLEET.list), false);
});

function mirrorOf(held: ReturnType<typeof heldFixture>): Mirror {
  const mirror = new Mirror(createVirtualClock());
  mirror.setLists([FLEET]);
  mirror.replace(FLEET.list, held);
  return mirror;
}
