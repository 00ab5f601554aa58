import assert from "node:assert/strict";
import { test } from "node:test";
import { warningsOf } from "./policy-warnings.ts";
import type { StoredPolicy } from "./stored-policy.ts";

const HOUR_MS = 3_600_000;

const policy = (policyNo: number, given: Partial<Record<keyof StoredPolicy, unknown>> = {}) =>
  ({
    policyNo,
    beganAtMs: 1,
    confirmByMs: undefined,
    confirmedAtMs: undefined,
    rolledBack: undefined,
    ...given,
  }) as never;
const ended = (by: string) => ({ rolledBack: { atMs: 0, by, because: "alarm: x" } });

test("a policy that waits for a word is told, and one that went back by itself for a day", () => {
  const told = (policies: readonly StoredPolicy[], nowMs = 0) =>
    warningsOf(policies, nowMs).map(({ code, subject }) => `${code} ${subject}`);
  assert.deepEqual(told([policy(1)]), []);
  assert.deepEqual(told([policy(2, { beganAtMs: undefined }), policy(1)]), ["policy-on-trial 2"]);
  assert.deepEqual(told([policy(2, { confirmByMs: 5 })]), ["policy-unconfirmed 2"]);
  assert.deepEqual(told([policy(2, { confirmByMs: 5, confirmedAtMs: 3 })]), []);
  assert.deepEqual(told([policy(2, ended("policy")), policy(1)], 23 * HOUR_MS), ["policy-went-back 2: alarm: x"]);
  assert.deepEqual(told([policy(2, ended("policy")), policy(1)], 25 * HOUR_MS), []);
  assert.deepEqual(told([policy(2, ended("anna")), policy(1)]), [], "an operator knows what he did");
  assert.deepEqual(told([policy(3), policy(2, ended("policy"))]), []);
});
