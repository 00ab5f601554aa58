import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { seededRandom } from "@fleetban/kit/random";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import fc from "fast-check";
import { memoryDisk } from "../spool/files.fixture.ts";
import { openSpool, type Spool } from "../spool/spool.ts";
import { KnownBans } from "./dedupe.ts";
import { followHandoff } from "./fail2ban/handoff.ts";
import { memoryFolder } from "./follow/files.fixture.ts";
import { createIntake } from "./intake.ts";
import { followLog } from "./log/follow-log.ts";

type Step =
  | { readonly kind: "ban"; readonly in: "handoff" | "log" | "both" }
  /** The agent dies at once, whatever it was doing; `torn` bytes of an append under way are on the disk. */
  | { readonly kind: "kill"; readonly torn: number }
  /** Without a word: what is read is not said to be read until the next sighting. */
  | { readonly kind: "wait" }
  | { readonly kind: "full" }
  | { readonly kind: "rotate-log" }
  | { readonly kind: "torn-record" }
  | { readonly kind: "junk" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("ban" as const), in: fc.constantFrom("handoff", "log", "both") }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("kill" as const), torn: fc.nat(1_200) }) },
  { weight: 3, arbitrary: fc.constant({ kind: "wait" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "full" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "rotate-log" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "torn-record" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "junk" } as const) },
);

test("every ban is in the spool exactly once, whenever the agent is killed and whichever source tells it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const world = await createWorld();
      for (const one of steps) await world.act(one);
      assert.deepEqual([...(await world.told())].sort(), [...world.bans].sort());
    }),
    { numRuns: 200 },
  );
});

const HANDOFF = "/f2b/handoff";
const LOG = "/log/fail2ban.log";
const START_MS = Date.UTC(2026, 5, 1, 12);

async function createWorld() {
  const clock = createVirtualClock(START_MS);
  const handoffs = memoryFolder(clock.nowMs);
  const logs = memoryFolder(clock.nowMs);
  const bans: string[] = [];
  let disk = memoryDisk();
  let starts = 0;
  let rotations = 0;
  let running = await start();

  async function start() {
    const stopper = new AbortController();
    const base = { clock, random: seededRandom(++starts), log: silentLog };
    const spool: Spool = await openSpool({ ...base, files: disk.files }, { maxBytes: 1 << 20 });
    const known = new KnownBans(spool.takeRecent(), spool.forgottenBeforeMs);
    const sink = createIntake({ ...base, spool, known, local: () => undefined });
    const parts = { ...base, sink, isAsked: () => false, banSecondsOf: () => 0, isHandedOver: () => true };
    const positions = spool.positions();
    const begin = "start" as const;
    const handoff = followHandoff({ ...parts, files: handoffs.files }, { path: HANDOFF, positions }, stopper.signal);
    const log = followLog({ ...parts, files: logs.files }, { path: LOG, begin, positions }, stopper.signal);
    return { spool, stopper, ended: Promise.allSettled([handoff, log]) };
  }

  async function act(one: Step): Promise<void> {
    switch (one.kind) {
      case "ban": {
        const number = bans.length + 1;
        const address = `203.0.113.${number}`;
        bans.push(address);
        if (one.in !== "handoff") logs.append(LOG, logLine(clock.nowMs() + 20, `[sshd] Ban ${address}`));
        if (one.in !== "log") handoffs.append(HANDOFF, handoffRecord(address, clock.nowMs()));
        return;
      }
      case "kill": {
        await new Promise((resolve) => setImmediate(resolve)); // it has begun with what there is
        disk.hold = () => new Promise(() => undefined);
        await new Promise((resolve) => setImmediate(resolve));
        disk = disk.afterPowerCut(one.torn);
        running.stopper.abort(new Error("killed"));
        running = await start();
        return;
      }
      case "wait":
        return await clock.run(clock.monotonicMs() + 5_000);
      case "full":
        disk.capacity = 0;
        await clock.run(clock.monotonicMs() + 3_000);
        disk.capacity = Number.POSITIVE_INFINITY;
        return await clock.run(clock.monotonicMs() + 6_000);
      case "rotate-log":
        if (!logs.names().includes(LOG)) return;
        rotations += 1;
        await clock.run(clock.monotonicMs()); // rotated twice between two looks it could not be found
        return logs.rename(LOG, `${LOG}.${1_000 - rotations}`);
      case "torn-record":
        return handoffs.append(HANDOFF, handoffRecord("203.0.113.250", clock.nowMs()).slice(0, 30));
      case "junk":
        logs.append(LOG, "Traceback (most recent call last):\n");
        return handoffs.append(HANDOFF, handoffRecord("foo;bar", clock.nowMs()));
    }
  }

  async function told(): Promise<readonly string[]> {
    await clock.run(clock.monotonicMs() + 20_000);
    const batches: string[] = [];
    let point: { incarnation: Uint8Array; seq: number } | undefined;
    for (;;) {
      const batch = await running.spool.after(point, 100);
      if (batch === undefined) break;
      batches.push(...batch.sightings.map(({ address }) => address));
      point = { incarnation: batch.incarnation, seq: batch.firstSeq + batch.sightings.length - 1 };
    }
    running.stopper.abort(new Error("over"));
    await running.ended;
    return batches;
  }
  return { act, told, bans };
}

function handoffRecord(ip: string, nowMs: number): string {
  const fields = ["FLEETBAN1", "ban", "sshd", ip, ip, "inet4", String(nowMs / 1_000), "600", "3", "1", "0", "END"];
  return fields.map((field) => `${field}\0`).join("");
}

function logLine(atMs: number, message: string): string {
  const at = new Date(atMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${day} ${time},${String(at.getMilliseconds()).padStart(3, "0")} fail2ban.actions        [1]: NOTICE  ${message}\n`;
}
