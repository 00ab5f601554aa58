import assert from "node:assert/strict";
import { test } from "node:test";
import { add, remove } from "../conformance.fixture.ts";
import { createLine, opLine } from "./set-command.ts";
import { hashSizeFor } from "./set-size.ts";
import { complaintCode, entriesInText, headersInText, testResult } from "./set-text.ts";

test("lines for the program say everything themselves", () => {
  assert.equal(
    createLine({ name: "fleetban-a-v6", family: 6, maxEntries: 1_000 }),
    "create fleetban-a-v6 hash:net family inet6 hashsize 512 maxelem 1000 timeout 0 counters",
  );
  assert.equal(opLine(add("s", "1.2.3.0/24", 600)), "add s 1.2.3.0/24 timeout 600 -exist");
  assert.equal(opLine(add("s", "1.2.3.4", 9_999_999)), "add s 1.2.3.4 timeout 2147483 -exist");
  assert.equal(opLine(remove("s", "2a00::1")), "del s 2a00::1 -exist");
});

test("a hash table is presized to the power of two that holds half of the entries", () => {
  const sizes = [0, 1, 128, 129, 100_000, 1_000_000_000].map(hashSizeFor);
  assert.deepEqual(sizes, [64, 64, 64, 128, 65_536, 4_194_304]);
});

test("headers are read from `ipset list -t`", () => {
  const text = [
    "Name: fleetban-a-v4",
    "Type: hash:net",
    "Revision: 7",
    "Header: family inet hashsize 64 maxelem 20 timeout 0 bucketsize 12 initval 0x508e102b",
    "Size in memory: 456",
    "References: 2",
    "Number of entries: 17",
    "",
    "Name: other",
    "Type: hash:ip",
    "Revision: 5",
    "Header: family inet6 hashsize 1024 maxelem 65536",
    "Size in memory: 456",
    "References: 0",
    "Number of entries: 0",
    "",
  ].join("\n");
  const common = { type: "hash:net", family: 4, maxEntries: 20, entries: 17, references: 2, hasTimeouts: true };
  assert.deepEqual(headersInText(text), [
    { name: "fleetban-a-v4", ...common },
    { name: "other", type: "hash:ip", family: 6, maxEntries: 65_536, entries: 0, references: 0, hasTimeouts: false },
  ]);
  assert.deepEqual(headersInText(""), []);
});

test("entries are read from `ipset save`, in pieces", () => {
  const text =
    "create s hash:net family inet timeout 0\nadd s 1.2.3.4 timeout 17 packets 3 bytes 252\nadd s 1.2.3.0/24 timeout 0\nadd s 5.6.7.8\n";
  assert.deepEqual(
    [...entriesInText(text, 2)],
    [
      [
        { prefix: "1.2.3.4", timeoutSeconds: 17, packets: 3, bytes: 252 },
        { prefix: "1.2.3.0/24", timeoutSeconds: 0, packets: 0, bytes: 0 },
      ],
      [{ prefix: "5.6.7.8", timeoutSeconds: 0, packets: 0, bytes: 0 }],
    ],
  );
});

test("the program's words become codes in one place", () => {
  const codes = {
    "Hash is full, cannot add more elements": "set-full",
    "The set with the given name does not exist": "set-missing",
    "Sets cannot be swapped: the second set does not exist": "set-missing",
    "Kernel error received: Operation not permitted": "no-permission",
    "Set cannot be destroyed: it is in use by a kernel component": "set-in-use",
    "Cannot open session to kernel.": "kernel-sets-missing",
    "The value of the CIDR parameter of the IP address is invalid": "kernel-refused",
  };
  for (const [complaint, code] of Object.entries(codes)) assert.equal(complaintCode(complaint), code, complaint);
  assert.equal(testResult("Warning: 1.2.3.4 is in set s."), true);
  assert.equal(testResult("1.2.3.4 is NOT in set s."), false);
  assert.equal(testResult("The set with the given name does not exist"), undefined);
});
