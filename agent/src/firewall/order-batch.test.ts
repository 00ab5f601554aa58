import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDigestKey } from "@fleetban/proto/model/digest";
import { listNo } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import fc from "fast-check";
import { orderBatch, type PlannedOp } from "./order-batch.ts";
import { listSets } from "./set-names.ts";
import { createSetRegistry } from "./set-registry.ts";

const sets = createSetRegistry(parseDigestKey(new Uint8Array(16)));
const exempt = sets.addList(listSets({ list: listNo(1), name: "exempt" }), {
  kind: "list",
  list: listNo(1),
  effect: "exempt",
});
const deny = sets.addList(listSets({ list: listNo(2), name: "fleet" }), {
  kind: "list",
  list: listNo(2),
  effect: "deny",
});

const planned = fc
  .record({
    set: fc.constantFrom(exempt[4], deny[4], sets.own[4], sets.local[4]),
    kind: fc.constantFrom("add" as const, "remove" as const),
    n: fc.nat(9),
  })
  .map(({ set, kind, n }): PlannedOp => {
    const prefix = parsePrefix(`81.0.0.${n}`);
    return { set, op: { kind, set: set.name, prefix, timeoutSeconds: 1 }, isFill: false };
  });

test("in a batch exempt is added first and removed last, whatever the order of the wishes", () => {
  fc.assert(
    fc.property(fc.array(planned), (all) => {
      const ordered = orderBatch(all);
      const phases = ordered.map(({ set, op }) => {
        const isExempt = set === exempt[4] || set === sets.own[4];
        return op.kind === "add" ? (isExempt ? 0 : 1) : isExempt ? 3 : 2;
      });
      assert.deepEqual(
        phases,
        phases.toSorted((a, b) => a - b),
      );
      assert.equal(ordered.length, all.length);
      assert.deepEqual(new Set(ordered), new Set(all));
    }),
  );
});
