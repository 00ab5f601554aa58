import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { LIST_FLEET, LIST_TRIAL } from "@fleetban/proto/model/listing";
import type { StoredPolicy } from "./stored-policy.ts";
import { createTrialAlarms } from "./trial-alarms.ts";

const POLICY = { policyNo: 3, canary: { group: "edge", untilMs: 0 } } as unknown as StoredPolicy;

function stage() {
  const clock = createVirtualClock();
  const state = {
    answer: { result: { error: "" } } as { result: { error: string } } | undefined,
    online: ["web1"],
    probed: [] as number[],
    logins: "",
    trial: ["198.50.0.1"],
  };
  const agents = [
    { agentNo: 1, name: "web1", group: { name: "edge" } },
    { agentNo: 2, name: "web2", group: { name: "default" } },
  ];
  const fleet = {
    online: () => agents.filter(({ name }) => name !== "web1" || state.online.includes(name)),
    nextProbeAddress: () => "192.0.2.1",
    async probe(agentNo: number) {
      state.probed.push(agentNo);
      return state.answer;
    },
    reported: {
      find: () => ({ health: { warnables: [{ code: "login-from-listed", sinceMs: 0, detail: state.logins }] } }),
    },
  };
  const covering = (address: string) => [
    { list: LIST_FLEET },
    ...(state.trial.includes(address) ? [{ list: LIST_TRIAL }] : []),
  ];
  const alarms = createTrialAlarms({ fleet, ledger: { covering }, clock } as never);
  const lookAfter = async (ms: number) => {
    await clock.run(clock.monotonicMs() + ms);
    return alarms.look(POLICY);
  };
  return { state, lookAfter };
}

test("agents of the canary group are probed every half minute, others never; a probe that fails is an alarm", async () => {
  const { state, lookAfter } = stage();
  for (let seconds = 0; seconds < 65; seconds += 1) assert.equal(await lookAfter(1_000), undefined);
  assert.deepEqual(state.probed, [1, 1]);
  state.answer = { result: { error: "the rule is missing" } };
  assert.equal(await lookAfter(30_000), "the probe of web1 failed: the rule is missing");
});

test("one probe without an answer is none, the second in a row is an alarm, an agent that went is none", async () => {
  const { state, lookAfter } = stage();
  state.answer = undefined;
  await lookAfter(0);
  assert.equal(await lookAfter(30_000), undefined);
  state.answer = { result: { error: "" } };
  assert.equal(await lookAfter(30_000), undefined);
  state.answer = undefined;
  assert.equal(await lookAfter(30_000), undefined);
  assert.equal(await lookAfter(30_000), "web1 did not answer 2 probes in a row");
  state.online = [];
  assert.equal(await lookAfter(30_000), undefined);
});

test("a login from an address that the trial lists is an alarm, one from what other lists hold is none", async () => {
  const { state, lookAfter } = stage();
  state.logins = "9.9.9.9, no address";
  assert.equal(await lookAfter(0), undefined);
  state.logins = "9.9.9.9, 198.50.0.1";
  assert.equal(await lookAfter(1_000), "somebody logged in on web1 from 198.50.0.1, which the trial lists");
});
