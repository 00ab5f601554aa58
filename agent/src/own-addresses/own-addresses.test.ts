import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { createOwnAddresses } from "./own-addresses.ts";

const ADMIN = parsePrefix("45.83.64.9");
const COORDINATOR = "193.32.126.10";

function machine() {
  const clock = createVirtualClock();
  const state = { own: [] as readonly Prefix[], asked: [] as (readonly string[])[], change: (): void => undefined };
  const sessions = { look: async () => [ADMIN] };
  const addresses = createOwnAddresses({
    ...{ clock, log: silentLog, sessions },
    async readMachine(names) {
      state.asked.push(names);
      return { interfaces: [], routes4: "", routes6: "", resolvers: "", coordinators: names.map(() => COORDINATOR) };
    },
    coordinators: () => ["fleet.example:7741"],
    watch: (onChange) => {
      state.change = onChange;
      return { close: () => undefined };
    },
    setOwn(prefixes) {
      state.own = prefixes;
    },
  });
  return { clock, state, sessions, addresses };
}

test("names are resolved now and then, the rest is looked at every few seconds, and both stay protected", async () => {
  const { clock, state, addresses } = machine();
  await addresses.look();
  const stop = new AbortController();
  const run = addresses.run(stop.signal);
  await clock.run(20_000);
  assert.deepEqual([...state.own].sort(), [COORDINATOR, ADMIN]);
  assert.ok(state.asked.length >= 6 && state.asked.length <= 9, `looked ${state.asked.length} times`);
  assert.equal(state.asked.filter((names) => names.length > 0).length, 2);
  stop.abort(new Error("over"));
  await assert.rejects(run, /over/);
});

test("a change is looked at within half a second, many of them as one", async () => {
  const { clock, state, addresses } = machine();
  const stop = new AbortController();
  const run = addresses.run(stop.signal);
  await clock.run(600);
  const before = state.asked.length;
  for (let times = 0; times < 100; times += 1) state.change();
  await clock.run(1_200);
  assert.ok(state.asked.length > before && state.asked.length <= before + 2);
  stop.abort(new Error("over"));
  await assert.rejects(run, /over/);
});

test("the coordinator's settings switch the protection of sessions off and on", async () => {
  const { addresses, state } = machine();
  await addresses.look();
  assert.equal(addresses.sessions.length, 1);
  addresses.setSessionProtection(false);
  await addresses.look();
  assert.deepEqual([addresses.sessions.length, state.own.includes(ADMIN)], [0, false]);
  addresses.setSessionProtection(true);
  await addresses.look();
  assert.equal(addresses.sessions.length, 1);
});

test("sessions that can't be read stay protected as they were", async () => {
  const { addresses, sessions, state } = machine();
  await addresses.look();
  sessions.look = async () => {
    throw new Error("EIO");
  };
  await addresses.look();
  assert.ok(state.own.includes(ADMIN));
});
