import assert from "node:assert/strict";
import { test } from "node:test";
import { createAttempts } from "./attempts.ts";

test("ten failures within a minute block a peer, and its IPv6 neighbours, but nobody else", () => {
  const attempts = createAttempts();
  for (let count = 0; count < 10; count += 1) attempts.failed(`2a00:1:2:3::${count}`, 1_000);
  assert.equal(attempts.isBlocked("2a00:1:2:3::ffff", 2_000), true);
  assert.equal(attempts.isBlocked("2a00:1:2:4::1", 2_000), false);
  assert.equal(attempts.isBlocked("2a00:1:2:3::1", 61_000), false);
});

test("300 failures of all kinds of peers within a minute block everybody", () => {
  const attempts = createAttempts();
  for (let count = 0; count < 300; count += 1) attempts.failed(`8.8.${count >> 8}.${count & 255}`, 1_000);
  assert.equal(attempts.isBlocked("9.9.9.9", 2_000), true);
  assert.equal(attempts.isBlocked("9.9.9.9", 70_000), false);
});
