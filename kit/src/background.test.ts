import assert from "node:assert/strict";
import { test } from "node:test";
import { type Background, createBackground } from "./background.ts";
import { systemClock } from "./drivers/system-clock.ts";
import { createBackgroundTurns } from "./turns.ts";

const PERIOD_MS = 100;

/** A thread that gets `quotaMs` of each 100 ms, and waits for the next when they are used up. */
function throttledThread(quotaMs: number) {
  let nowMs = 0;
  let leftMs = quotaMs;
  const use = { computedMs: 0, waitedMs: 0 };
  function pass(durationMs: number): void {
    const periods = Math.floor((nowMs + durationMs) / PERIOD_MS) - Math.floor(nowMs / PERIOD_MS);
    nowMs += durationMs;
    if (periods > 0) leftMs = quotaMs;
  }
  return {
    nowMs: () => nowMs,
    coreUse: () => ({ ...use }),
    pass,
    compute(durationMs: number): void {
      for (let doneMs = 0; doneMs < durationMs; doneMs += 0.5) {
        if (leftMs <= 0) {
          const toNextMs = PERIOD_MS - (nowMs % PERIOD_MS);
          use.waitedMs += toNextMs;
          pass(toNextMs);
        }
        leftMs -= 0.5;
        use.computedMs += 0.5;
        pass(0.5);
      }
    },
    use,
  };
}

type Thread = ReturnType<typeof throttledThread>;

/** Work that can wait, without end, in pieces as long as they may be; `urgentMs` of other work each 50 ms on average. */
function work(thread: Thread, background: Background, forMs: number, urgentMs = 0): void {
  let urgentAtMs = 0;
  while (thread.nowMs() < forMs) {
    const piece = background.begin();
    thread.compute(background.pieceMs);
    piece.end();
    const restMs = background.restMs();
    for (const untilMs = thread.nowMs() + restMs; thread.nowMs() < untilMs; ) thread.pass(0.5);
    if (urgentMs === 0 || thread.nowMs() < urgentAtMs) continue;
    urgentAtMs = thread.nowMs() + 50;
    thread.compute(urgentMs);
  }
}

function backgroundOf(thread: Thread): Background {
  return createBackground({ monotonicMs: thread.nowMs, coreUse: thread.coreUse });
}

test("where a core is there whenever it is wanted, nothing rests", () => {
  const thread = throttledThread(PERIOD_MS);
  const background = backgroundOf(thread);
  work(thread, background, 10_000);
  assert.equal(background.share, 1);
  assert.equal(thread.use.computedMs, thread.nowMs());
});

for (const quotaMs of [10, 5]) {
  test(`with ${quotaMs} % of a core it takes much of it, and is seldom made to wait`, () => {
    const thread = throttledThread(quotaMs);
    work(thread, backgroundOf(thread), 60_000);
    const quotaUsed = thread.use.computedMs / (thread.nowMs() * (quotaMs / PERIOD_MS));
    assert.ok(quotaUsed > 0.4, `${quotaUsed} of the quota`);
    assert.ok(thread.use.waitedMs < 0.2 * thread.nowMs(), `${thread.use.waitedMs} ms of ${thread.nowMs()}`);
  });
}

test("without a rest the same work waits most of the time", () => {
  const thread = throttledThread(10);
  const { background } = { background: { ...backgroundOf(thread), restMs: () => 0, pieceMs: 10 } };
  work(thread, background, 60_000);
  assert.ok(thread.use.waitedMs > 0.8 * thread.nowMs());
});

test("a machine that becomes free again is used again", () => {
  const thread = throttledThread(10);
  const background = backgroundOf(thread);
  work(thread, background, 5_000);
  assert.ok(background.share < 0.2, String(background.share));
  const free = { ...thread, compute: thread.pass };
  work(free, background, 60_000);
  assert.equal(background.share, 1);
});

test("where the kernel does not count, nothing is held back", async () => {
  const { monotonicMs } = systemClock;
  const background = createBackground({ monotonicMs, coreUse: () => undefined });
  const turns = createBackgroundTurns({ ...systemClock, background });
  await turns.next();
  assert.equal(background.restMs(), 0);
  assert.equal(background.share, 1);
});
