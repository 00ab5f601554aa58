import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { protectSessions, SESSIONS_MAX } from "./protected-sessions.ts";

const session = (address: string) => `STATE=active\nREMOTE_HOST=${address}\nSERVICE=sshd\n`;
const accepted = (address: string, port: number) =>
  `Nov  1 09:00:00 web1 sshd[7]: Accepted publickey for root from ${address} port ${port} ssh2\n`;
/** 45.83.64.N, port 256. */
const open = (last: number) => `0: 00000000:0016 ${last.toString(16).padStart(2, "0")}40532D:0100 01\n`;

function machine() {
  const clock = createVirtualClock();
  const state = { sessions: [] as string[], connections: "", log: "" };
  const takeLog = () => {
    const { log } = state;
    state.log = "";
    return log;
  };
  const facts = { sessions: async () => state.sessions, connections: async () => state.connections };
  return { clock, state, sessions: protectSessions(clock, facts, { read: takeLog }) };
}

test("who logged in is protected while the connection lasts and an hour after", async () => {
  const { clock, state, sessions } = machine();
  Object.assign(state, { log: accepted("45.83.64.9", 256), connections: open(9), sessions: [session("45.83.64.8")] });
  assert.deepEqual(await sessions.look(), ["45.83.64.8", "45.83.64.9"]);
  await clock.run(50_000_000);
  assert.deepEqual(await sessions.look(), ["45.83.64.8", "45.83.64.9"]);
  Object.assign(state, { connections: "", sessions: [] });
  await clock.run(53_600_000);
  assert.deepEqual(await sessions.look(), ["45.83.64.8", "45.83.64.9"]);
  await clock.run(53_600_001);
  assert.deepEqual(await sessions.look(), []);
});

test("who merely connects is not, nor whose login was long ago, nor the same address on another port", async () => {
  const { state, sessions } = machine();
  state.connections = open(7) + open(9);
  state.log = accepted("45.83.64.9", 257) + accepted("45.83.64.8", 256);
  assert.deepEqual(await sessions.look(), []);
  state.connections = open(8); // a connection of the same port comes when the login is forgotten
  assert.deepEqual(await sessions.look(), []);
});

test("there are few of them, the newest", async () => {
  const { state, sessions } = machine();
  state.sessions = ["9.9.9.9", "8.8.8.8"].map(session);
  await sessions.look();
  state.sessions = Array.from({ length: SESSIONS_MAX - 1 }, (_, last) => session(`45.83.64.${last}`));
  const found = await sessions.look();
  assert.equal(found.length, SESSIONS_MAX);
  assert.ok(found.includes("8.8.8.8" as never) && !found.includes("9.9.9.9" as never));
});
