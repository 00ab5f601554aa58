import assert from "node:assert/strict";
import { test } from "node:test";
import { claimedAddresses, ownPrefixes } from "./own-prefixes.ts";

const facts = {
  interfaces: [
    { address: "127.0.0.1", length: 8 },
    { address: "45.83.64.9", length: 24 },
    { address: "fe80::1%eth0", length: 64 },
    { address: "2a0e:8f02::9", length: 64 },
  ],
  routes4: [
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
    "eth0\t00000000\t0140532D\t0003\t0\t0\t0\t00000000\t0\t0\t0",
    "eth0\t0040532D\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
  ].join("\n"),
  routes6:
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 2a0e8f02000000000000000000000001 00000400 00000001 00000000 00000003 eth0",
  resolvers: "# made by hand\nnameserver 9.9.9.9\nnameserver fe80::53%eth0\nsearch example.org\nnameserver nonsense\n",
  coordinators: ["193.32.126.10"],
};

test("a machine's own addresses, gateways, resolvers, coordinators and IPv6 networks are all its own", () => {
  assert.deepEqual(ownPrefixes(facts), [
    "127.0.0.1",
    "193.32.126.10",
    "2a0e:8f02::/64",
    "2a0e:8f02::1",
    "2a0e:8f02::9",
    "45.83.64.1",
    "45.83.64.9",
    "9.9.9.9",
    "fe80::/64",
    "fe80::1",
    "fe80::53",
  ]);
});

test("a machine claims its public addresses only, and no more than it may", () => {
  assert.deepEqual(claimedAddresses(facts, 16), ["2a0e:8f02::9", "45.83.64.9"]);
  assert.deepEqual(claimedAddresses(facts, 1), ["2a0e:8f02::9"]);
});

test("files that are missing or empty leave out what they would tell", () => {
  const bare = { interfaces: [], routes4: "", routes6: "", resolvers: "", coordinators: [] };
  assert.deepEqual(ownPrefixes(bare), []);
});
