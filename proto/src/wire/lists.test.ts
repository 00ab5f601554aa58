import assert from "node:assert/strict";
import { test } from "node:test";
import { type List, listNo } from "../model/listing.ts";
import { List as ListMessage } from "./gen/fleetban/v1/fleet.ts";
import { listFromWire, listToWire } from "./lists.ts";

const FLEET: List = {
  list: listNo(2),
  name: "fleet",
  effect: "deny",
  reach: { kind: "all-traffic" },
  leaseSeconds: 604_800,
  requires: [1],
  documentationOnly: false,
};

test("a list comes back from the wire", () => {
  const lists: readonly List[] = [
    FLEET,
    { ...FLEET, effect: "exempt", requires: [] },
    { ...FLEET, reach: { kind: "ports", protocol: "tcp", ranges: [{ first: 22, last: 24 }] }, documentationOnly: true },
    { ...FLEET, effect: "unknown", reach: { kind: "unknown" } },
  ];
  for (const list of lists)
    assert.deepEqual(listFromWire(ListMessage.decode(ListMessage.encode(listToWire(list)).finish())), list);
});

test("an effect, a reach or a name that is not understood is unknown, so that nobody enforces it", () => {
  const message = listToWire(FLEET);
  assert.equal(listFromWire({ ...message, effect: 77 as never }).effect, "unknown");
  assert.equal(listFromWire({ ...message, effect: 0 }).effect, "unknown");
  assert.equal(listFromWire({ ...message, reach: undefined }).reach.kind, "unknown");
  const ports = (first: number, last: number) => ({
    $case: "ports" as const,
    value: { protocol: "tcp", ranges: [{ first, last }] },
  });
  assert.equal(listFromWire({ ...message, reach: ports(24, 22) }).reach.kind, "unknown");
  assert.equal(listFromWire({ ...message, reach: ports(1, 65_536) }).reach.kind, "unknown");
  for (const name of ["", "a b", "-x", "x-", "Fleet", "a-name-too-long-for-a-set", "a\n"]) {
    assert.equal(listFromWire({ ...message, name }).effect, "unknown", name);
  }
  assert.throws(() => listFromWire({ ...message, list: 0 }), /names no list/);
});
