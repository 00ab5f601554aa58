import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { createWarnables } from "./health/warnables.ts";
import { renewWhenDue } from "./renewal.ts";

const DAY_MS = 86_400_000;

test("a certificate is renewed when a third of its life is left, and tried again until it is", async () => {
  const clock = createVirtualClock(0);
  const warnables = createWarnables(clock);
  const stop = new AbortController();
  let life = { beginsAtMs: 0, endsAtMs: 90 * DAY_MS };
  const triedAtDays: number[] = [];
  const running = renewWhenDue(
    {
      ...{ clock, log: silentLog, warnables, life: () => life },
      async renew() {
        triedAtDays.push(Math.floor(clock.nowMs() / DAY_MS));
        if (triedAtDays.length < 3) throw new Error("no answer");
        life = { beginsAtMs: clock.nowMs(), endsAtMs: clock.nowMs() + 90 * DAY_MS };
      },
    },
    stop.signal,
  ).catch((error: Error) => error.message);
  await clock.run(70 * DAY_MS);
  assert.deepEqual(triedAtDays, [60, 60, 60]);
  stop.abort(new Error("enough"));
  assert.equal(await running, "enough");
});

test("an end within a week that could not be put off is shown", async () => {
  const clock = createVirtualClock(0);
  const warnables = createWarnables(clock);
  const stop = new AbortController();
  const renew = () => Promise.reject(new Error("no answer"));
  const life = () => ({ beginsAtMs: 0, endsAtMs: 90 * DAY_MS });
  const running = renewWhenDue({ clock, log: silentLog, warnables, life, renew }, stop.signal).catch(() => undefined);
  await clock.run(82 * DAY_MS);
  assert.deepEqual(warnables.raised(), []);
  await clock.run(84 * DAY_MS);
  assert.deepEqual(
    warnables.raised().map(({ code }) => code),
    ["certificate-ends-soon"],
  );
  stop.abort(new Error("enough"));
  await running;
});
