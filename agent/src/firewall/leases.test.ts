import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "@fleetban/proto/model/time";
import fc from "fast-check";
import { EXEMPT, FEEDS, FLEET } from "../mirror/mirror.fixture.ts";
import { differs, KERNEL_TIMEOUT_MAX_SECONDS, leaseOf, needsRenewal, timeoutFor } from "./leases.ts";

const DAY = 86_400;

test("an exempt lease is a day longer than any deny list's", () => {
  const lists = [
    { ...EXEMPT, leaseSeconds: 100 },
    { ...FLEET, leaseSeconds: 5_000 },
    { ...FEEDS, leaseSeconds: 9_000 },
  ];
  assert.equal(leaseOf(lists[0]!, lists, 60), 9_000 + DAY);
  assert.equal(leaseOf(lists[2]!, lists, 60), 9_000);
  assert.equal(leaseOf({ ...FLEET, leaseSeconds: 0 }, lists, 60), 60);
});

test("no lease is longer than the kernel's longest timeout, and exempt stays the longer one", () => {
  const lists = [EXEMPT, { ...FLEET, leaseSeconds: 99_999_999 }];
  assert.equal(leaseOf(lists[0]!, lists, 60), KERNEL_TIMEOUT_MAX_SECONDS);
  assert.ok(leaseOf(lists[1]!, lists, 60) <= KERNEL_TIMEOUT_MAX_SECONDS - DAY);
});

test("a timeout is what is left of the listing, at most the lease, at least a second", () => {
  assert.equal(timeoutFor(unixSeconds(1_300), unixSeconds(1_000), 600), 300);
  assert.equal(timeoutFor(unixSeconds(9_000), unixSeconds(1_000), 600), 600);
  assert.equal(timeoutFor(unixSeconds(0), unixSeconds(1_000), 600), 600);
  assert.equal(timeoutFor(unixSeconds(1_000), unixSeconds(1_000), 600), 1);
});

test("an entry is written anew when less than half is left, or less than three minutes, and when it would last too long", () => {
  assert.equal(needsRenewal(600, undefined), true);
  assert.equal(needsRenewal(600, 0), true);
  assert.equal(needsRenewal(600, 400), false);
  assert.equal(needsRenewal(600, 299), true);
  assert.equal(needsRenewal(300, 170), true);
  assert.equal(needsRenewal(300, 300), false);
  assert.equal(needsRenewal(300, 400), true);
});

test("an entry that nobody looks after again is written whenever it differs", () => {
  assert.equal(differs(600, 400), true);
  assert.equal(differs(600, 598), false);
  assert.equal(differs(0, Number.POSITIVE_INFINITY), false);
  assert.equal(differs(0, 500), true);
  assert.equal(differs(500, Number.POSITIVE_INFINITY), true);
  assert.equal(differs(500, undefined), true);
});

test("what was just written is not written again", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000_000 }), fc.nat(2), (seconds, ago) => {
      assert.equal(seconds > ago && needsRenewal(seconds, seconds - ago), false);
    }),
  );
});
