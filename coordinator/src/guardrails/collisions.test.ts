import assert from "node:assert/strict";
import { test } from "node:test";
import { covers, type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import fc from "fast-check";
import { type CollisionKind, collisionText, findCollisions, type Protection } from "./collisions.ts";

const protection = (text: string, kind: CollisionKind, name = ""): Protection => ({
  prefix: parsePrefix(text),
  kind,
  name,
});

test("equal, around and inside each collide, and the strongest is told", () => {
  const known = [
    protection("8.8.8.8", "pack", "public-resolvers"),
    protection("8.8.8.0/24", "allowed"),
    protection("9.9.9.9", "pardoned"),
    protection("2606:4700:4700::1111", "pack", "public-resolvers"),
    protection("5.5.5.5", "own", "agent web1"),
  ];
  const wanted = ["8.8.8.8", "8.8.8.9", "8.0.0.0/9", "9.9.9.9", "9.9.9.8", "2606:4700::/32", "5.5.5.0/24"];
  const met = findCollisions(wanted.map(parsePrefix), known);
  assert.deepEqual(
    met.map(({ prefix, kind, by }) => `${prefix} ${kind} ${by}`),
    [
      "8.8.8.8 pack 8.8.8.8",
      "8.8.8.9 allowed 8.8.8.0/24",
      "8.0.0.0/9 pack 8.8.8.8",
      "9.9.9.9 pardoned 9.9.9.9",
      "2606:4700::/32 pack 2606:4700:4700::1111",
      "5.5.5.0/24 own 5.5.5.5",
    ],
  );
  assert.equal(
    collisionText(met),
    "public-resolvers (3: 8.8.8.8, 8.0.0.0/9, 2606:4700::/32), allowed (1: 8.8.8.9), pardoned (1: 9.9.9.9), own (1: 5.5.5.0/24)",
  );
});

test("a prefix collides exactly when it and something protected cover one another", () => {
  const prefix = fc
    .record({ bits: fc.integer({ min: 0, max: 255 }), length: fc.integer({ min: 24, max: 32 }) })
    .map(({ bits, length }): Prefix => {
      const host = length === 32 ? bits : bits & (0xff << (32 - length));
      return parsePrefix(`5.5.5.${host}${length === 32 ? "" : `/${length}`}`);
    });
  fc.assert(
    fc.property(
      fc.uniqueArray(prefix, { maxLength: 12 }),
      fc.uniqueArray(prefix, { maxLength: 12 }),
      (wanted, kept) => {
        const met = findCollisions(
          wanted,
          kept.map((one) => ({ prefix: one, kind: "allowed", name: "" })),
        );
        const expected = wanted.filter((one) => kept.some((other) => covers(one, other) || covers(other, one)));
        assert.deepEqual(
          met.map((one) => one.prefix),
          expected,
        );
      },
    ),
  );
});
