import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { seededRandom } from "@fleetban/kit/random";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import type { Connection } from "./connection.ts";
import { runLink } from "./link.ts";
import { LinkError, type LinkState, type SessionEnd } from "./state.ts";

const connection: Connection = {
  send: async () => undefined,
  messages: (async function* () {})(),
  close: () => undefined,
};

/** Dials as told, answers each session with the next end, and stops after the last. */
async function runWith(ends: readonly (SessionEnd | "refused")[], configured: readonly string[], heldMs = 0) {
  const clock = createVirtualClock(0);
  const stop = new AbortController();
  const dialed: string[] = [];
  const states: LinkState[] = [];
  let next = 0;
  const running = runLink(
    {
      clock,
      random: seededRandom(1),
      log: silentLog,
      dial: async (address) => {
        dialed.push(address);
        if (ends[next] !== "refused") return connection;
        next += 1;
        throw new LinkError("coordinator-unreachable", "refused");
      },
      runSession: async () => {
        const end = ends[next] as SessionEnd;
        next += 1;
        await clock.sleep(heldMs);
        return end;
      },
      onState: (state) => {
        states.push(state);
        if (next >= ends.length) stop.abort(new Error("enough"));
      },
    },
    configured,
    stop.signal,
  ).catch((error: Error) => error.message);
  await clock.run(3_600_000);
  assert.equal(await running, "enough");
  return { dialed, states };
}

const waits = (states: readonly LinkState[]) =>
  states.flatMap((state) => (state.kind === "waiting" ? [state.attempt] : []));

test("the known coordinators are tried in turn", async () => {
  const { dialed } = await runWith(["refused", "refused", "refused", "refused"], ["a:1", "b:1"]);
  assert.deepEqual(dialed.slice(0, 4), ["a:1", "b:1", "a:1", "b:1"]);
});

test("each failure in a row waits longer, until a stream has held for a while", async () => {
  const lost: SessionEnd = { kind: "lost", cause: new Error("cut") };
  assert.deepEqual(waits((await runWith([lost, lost, lost], ["a:1"])).states), [1, 2, 3]);
  assert.deepEqual(waits((await runWith([lost, lost, lost], ["a:1"], 60_000)).states), [1, 1, 1]);
});

test("a coordinator that says goodbye names who to ask next", async () => {
  const goodbye: SessionEnd = { kind: "goodbye", reason: "draining", retryAfterMs: 1_000, addresses: ["c:1", "d:1"] };
  const { dialed } = await runWith([goodbye, "refused", "refused"], ["a:1"]);
  assert.ok(dialed.includes("c:1") || dialed.includes("d:1"), dialed.join(" "));
});

test("a mirror that differs is asked for anew at once, but not again and again", async () => {
  const resync: SessionEnd = { kind: "resync", list: 2 };
  const { states } = await runWith([resync, resync, resync], ["a:1"]);
  assert.deepEqual(states.map(({ kind }) => kind).slice(0, 4), ["connecting", "connecting", "waiting", "connecting"]);
});

test("a certificate that is refused is not tried again within half a minute", async () => {
  const refused: SessionEnd = { kind: "lost", cause: new LinkError("certificate-refused", "revoked by an operator") };
  const { states } = await runWith([refused, refused], ["a:1"]);
  const waiting = states.flatMap((state) => (state.kind === "waiting" ? [state] : []));
  assert.equal(waiting[0]?.code, "certificate-refused");
  assert.ok((waiting[0]?.retryAtMs ?? 0) >= 30_000);
});
