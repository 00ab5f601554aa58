import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { createWarnables } from "./warnables.ts";

test("a bad state is shown only after it has lasted, and with the time it began", async () => {
  const clock = createVirtualClock(1_000);
  const warnables = createWarnables(clock);
  warnables.set("coordinator-unreachable", true);
  assert.deepEqual(warnables.raised(), []);
  await clock.run(60_000);
  assert.deepEqual(warnables.raised(), [{ code: "coordinator-unreachable", sinceMs: 1_000, detail: "" }]);
  warnables.set("coordinator-unreachable", false);
  assert.deepEqual(warnables.raised(), []);
});

test("a consequence is not shown beside its cause", async () => {
  const clock = createVirtualClock(0);
  const warnables = createWarnables(clock);
  warnables.set("not-enrolled", true);
  warnables.set("not-mirrored", true);
  await clock.run(1_000);
  assert.deepEqual(
    warnables.raised().map(({ code }) => code),
    ["not-enrolled"],
  );
  warnables.set("not-enrolled", false);
  assert.deepEqual(
    warnables.raised().map(({ code }) => code),
    ["not-mirrored"],
  );
});

test("a change of the detail is a change, the same again is none", () => {
  let changes = 0;
  const warnables = createWarnables(createVirtualClock(0), () => {
    changes += 1;
  });
  warnables.set("jail-left-out", true, "sshd");
  warnables.set("jail-left-out", true, "sshd");
  warnables.set("jail-left-out", true, "sshd, dovecot");
  assert.equal(changes, 2);
});
