import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import { Registry } from "prom-client";
import { showHitCounters } from "./hit-counters.ts";

test("dropped packets are shown by name of the list, deny lists only", async () => {
  const registry = new Registry();
  const list = { reach: { kind: "all-traffic" }, leaseSeconds: 1, requires: [], documentationOnly: false } as const;
  const head = { revision: 1, digest: 0n, listings: 0, committedAtMs: 0 } as never as object;
  const lists = () => [
    { ...head, list: { ...list, list: 1, name: "exempt", effect: "exempt" } },
    { ...head, list: { ...list, list: LIST_FLEET, name: "fleet", effect: "deny" } },
    { ...head, list: { ...list, list: 3, name: "feeds", effect: "deny" } },
  ];
  const packets = new Map([[LIST_FLEET, 7]]);
  showHitCounters(registry, { packets }, { lists: lists as never });
  const shown = (await registry.metrics()).split("\n").filter((line) => !line.startsWith("#") && line !== "");
  assert.deepEqual(shown, [
    'fleetban_coordinator_dropped_packets_total{list="fleet"} 7',
    'fleetban_coordinator_dropped_packets_total{list="feeds"} 0',
  ]);
  packets.set(LIST_FLEET, 9);
  assert.match(await registry.metrics(), /\{list="fleet"\} 9/);
});
