import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "./drivers/system-random.ts";
import { seededRandom } from "./random.ts";

test("a seed gives the same numbers again, another seed others", () => {
  const draw = (seed: number) => {
    const random = seededRandom(seed);
    return [random.unit(), random.unit(), ...random.bytes(8)];
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.notDeepEqual(draw(0), draw(2 ** 31));
});

for (const [name, random] of [
  ["seeded", seededRandom(1)],
  ["system", systemRandom],
] as const) {
  test(`${name}: units lie in [0, 1) and are spread, bytes are as many as asked for`, () => {
    const units = Array.from({ length: 4_000 }, () => random.unit());
    assert.ok(units.every((unit) => unit >= 0 && unit < 1));
    const mean = units.reduce((sum, unit) => sum + unit, 0) / units.length;
    assert.ok(Math.abs(mean - 0.5) < 0.03, `mean ${mean}`);
    assert.equal(random.bytes(32).length, 32);
    assert.ok(new Set(random.bytes(256)).size > 100);
  });
}
