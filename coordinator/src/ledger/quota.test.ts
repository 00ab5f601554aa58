import assert from "node:assert/strict";
import { test } from "node:test";
import { createQuotas } from "./quota.ts";

test("an agent has its burst, then its rate, and no other agent's", () => {
  const quotas = createQuotas(() => ({ burst: 10, perMinute: 60 }));
  assert.equal(quotas.take(1, 4, 0), 4);
  assert.equal(quotas.take(1, 10, 0), 6);
  assert.equal(quotas.take(1, 10, 0), 0);
  assert.equal(quotas.take(2, 3, 0), 3);
  assert.equal(quotas.take(1, 10, 2_500), 2);
  assert.equal(quotas.take(1, 1, 3_000), 1, "the half that was gained before is not lost");
  assert.equal(quotas.take(1, 100, 3_600_000), 10);
});
