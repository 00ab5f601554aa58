import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { BackendError } from "../backend-error.ts";
import { untilFree } from "./until-free.ts";

test("what is in use is asked for again until it is free", async () => {
  const clock = createVirtualClock();
  let asked = 0;
  const freed = untilFree(clock, () => {
    asked += 1;
    if (clock.monotonicMs() < 500) throw new BackendError("set-in-use", "busy");
    return "free";
  });
  await clock.run(1_000);
  assert.equal(await freed, "free");
  assert.ok(asked > 10 && asked < 50, `asked ${asked} times`);
});

test("what stays in use is given up after two seconds, any other failure at once", async () => {
  const clock = createVirtualClock();
  const busy = assert.rejects(
    untilFree(clock, () => failing("set-in-use")),
    { code: "set-in-use" },
  );
  await clock.run(2_000);
  await busy;
  await assert.rejects(
    untilFree(clock, () => failing("set-full")),
    { code: "set-full" },
  );
});

function failing(code: "set-in-use" | "set-full"): never {
  throw new BackendError(code, "no");
}
