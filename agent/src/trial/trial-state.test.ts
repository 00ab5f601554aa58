import assert from "node:assert/strict";
import { test } from "node:test";
import { backendFor, decideMode, parseTrialState, type TrialState } from "./trial-state.ts";

const now = { bootId: "a", uptimeMs: 1_000, backend: "dry-run" };
const trial: TrialState = { kind: "trial", bootId: "a", endsAtUptimeMs: 2_000 };

test("a trial enforces until its time is over or the machine was restarted, and is undone then", () => {
  assert.deepEqual(decideMode(trial, now).mode, { kind: "trial", endsAtUptimeMs: 2_000 });
  for (const [later, because] of [
    [{ ...now, uptimeMs: 2_000 }, "nobody confirmed it"],
    [{ ...now, bootId: "b", uptimeMs: 5 }, "the machine was restarted"],
  ] as const) {
    const ended = { kind: "ended", because } as const;
    assert.deepEqual(decideMode(trial, later), { mode: ended, next: ended, isUndo: true });
    assert.deepEqual(decideMode(ended, later), { mode: ended, next: undefined, isUndo: false });
  }
});

test("a confirmation holds while agent.yaml says dry-run, and is forgotten when it says otherwise", () => {
  const confirmed: TrialState = { kind: "confirmed", atMs: 7 };
  assert.deepEqual(decideMode(confirmed, now), { mode: confirmed, next: undefined, isUndo: false });
  const { mode, next } = decideMode(confirmed, { ...now, backend: "auto" });
  assert.deepEqual([mode, next], [{ kind: "configured" }, { kind: "none" }]);
});

test("trial and confirmation enforce whatever agent.yaml says, an ended trial counts only", () => {
  for (const mode of [{ kind: "trial", endsAtUptimeMs: 9 } as const, { kind: "confirmed", atMs: 9 } as const]) {
    assert.equal(backendFor(mode, "dry-run"), "auto");
    assert.equal(backendFor(mode, "nftables"), "nftables");
  }
  assert.equal(backendFor({ kind: "ended", because: "" }, "ipset"), "dry-run");
  assert.equal(backendFor({ kind: "configured" }, "ipset"), "ipset");
});

test("no file is no trial, a damaged one an ended trial", () => {
  assert.deepEqual(parseTrialState(undefined), { kind: "none" });
  assert.deepEqual(parseTrialState(JSON.stringify(trial)), trial);
  for (const text of ["", "{", "null", "7", '{"kind":"trial"}', '{"kind":"trial","bootId":"a"}', '{"kind":"new"}']) {
    assert.equal(parseTrialState(text).kind, "ended", text);
  }
});
