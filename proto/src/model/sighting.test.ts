import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyPrefix } from "./listing.fixture.ts";
import { parsePrefix } from "./prefix.ts";
import { actOf, neighbouringActs } from "./sighting.ts";

const BAN = { jail: "sshd", address: parsePrefix("192.0.2.7"), bannedAtMs: 1_790_000_000_500 };

test("one ban is one act, and its name is recorded", () => {
  assert.equal(actOf(BAN), "23c7ed6621c3790b");
  assert.equal(actOf({ ...BAN, bannedAtMs: BAN.bannedAtMs + 1_400 }), actOf(BAN));
});

test("another jail, address or time is another act", () => {
  const others = [
    { ...BAN, jail: "sshd2" },
    { ...BAN, address: parsePrefix("192.0.2.8") },
    { ...BAN, bannedAtMs: BAN.bannedAtMs + 2_000 },
  ];
  assert.equal(new Set([BAN, ...others].map(actOf)).size, 4);
});

test("times that differ by up to two seconds are the same act or neighbours", () => {
  fc.assert(
    fc.property(
      anyPrefix,
      fc.nat(2_000_000_000_000),
      fc.integer({ min: -2_000, max: 2_000 }),
      (address, atMs, byMs) => {
        const act = actOf({ jail: "sshd", address, bannedAtMs: atMs });
        const near = { jail: "sshd", address, bannedAtMs: atMs + byMs };
        assert.ok([actOf(near), ...neighbouringActs(near)].includes(act));
      },
    ),
  );
});
