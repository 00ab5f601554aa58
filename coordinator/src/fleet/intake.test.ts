import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import type { Seq } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { actOf } from "@fleetban/proto/model/sighting";
import { type Sightings, sightingToWire } from "@fleetban/proto/wire/fleet";
import type { SightingBatch } from "../ledger/ledger.ts";
import { createCounters } from "./counters.ts";
import { createIntake } from "./intake.ts";
import { createPace } from "./pace.ts";

const MINUTE_MS = 60_000;

test("an agent over its quota is stored 6,000 a minute of, in order and without loss", async () => {
  const fleet = openIntakes({ quota: 5_000 });
  const intake = fleet.open();
  const sent = sendAll(intake, 100);
  await fleet.clock.run(MINUTE_MS);
  assert.ok(fleet.stored() >= 5_000, `${fleet.stored()} are stored`);
  assert.ok(fleet.stored() <= 5_000 + 6_000 + 4_000, `${fleet.stored()} are stored within a minute`);
  await fleet.clock.run(10 * MINUTE_MS);
  await sent;
  assert.deepEqual(
    fleet.batches.map(({ firstSeq }) => firstSeq),
    Array.from({ length: 100 }, (_, at) => 1 + at * 200),
  );
});

test("within its quota an agent waits for nothing but the commit", async () => {
  const fleet = openIntakes({ quota: 5_000 });
  await sendAll(fleet.open(), 25);
  await fleet.clock.run(0);
  assert.equal(fleet.stored(), 5_000);
});

test("a new stream of the same agent is no way around it, and what an ended one held back is not stored", async () => {
  const fleet = openIntakes({ quota: 0 });
  for (let round = 0; round < 20; round += 1) {
    const intake = fleet.open();
    void sendAll(intake, 30);
    await fleet.clock.run(round * 100);
    intake.close();
  }
  await fleet.clock.run(10 * MINUTE_MS);
  assert.ok(fleet.stored() <= 4_200, `${fleet.stored()} are stored`);
});

test("what was held back keeps the time at which it came", async () => {
  const fleet = openIntakes({ quota: 0 });
  void sendAll(fleet.open(), 10);
  await fleet.clock.run(0);
  void sendAll(fleet.open(), 1);
  await fleet.clock.run(10 * MINUTE_MS);
  assert.deepEqual(new Set(fleet.batches.map(({ receivedAtMs }) => receivedAtMs)), new Set([0]));
});

/** Sends messages of 200 as fast as they are taken. */
async function sendAll(intake: ReturnType<typeof createIntake>, messages: number): Promise<void> {
  for (let at = 0; at < messages; at += 1) await intake.take(message(1 + at * 200));
}

function message(firstSeq: number): Sightings {
  const address = parsePrefix("198.50.0.1");
  const item = sightingToWire({
    ...{ address, kind: "ban", source: "fail2ban", jail: "sshd", protocol: "tcp", ports: "22", failures: 5 },
    ...{ bannedAtMs: 0, banSeconds: 600, banCount: 1, recordedAtMs: 0, evidence: new Uint8Array() },
    act: actOf({ jail: "sshd", address, bannedAtMs: 0 }),
  });
  return { incarnation: Buffer.alloc(16, 1), firstSeq, sentAtMs: 0, items: Array.from({ length: 200 }, () => item) };
}

/** Streams of one agent, one after the other, over a ledger that stores at once and grants a quota. */
function openIntakes({ quota }: { quota: number }) {
  const clock = createVirtualClock(0);
  const pace = createPace(clock);
  const batches: SightingBatch[] = [];
  let granted = quota;
  const ledger = {
    ledgerTimeMs: () => clock.nowMs(),
    async commitSightings(batch: SightingBatch) {
      batches.push(batch);
      const count = batch.sightings.length;
      const within = Math.min(granted, count);
      granted -= within;
      return { seq: (batch.firstSeq + count - 1) as Seq, overQuota: count - within, refused: 0, revision: undefined };
    },
  };
  const outbox = { acknowledge: () => undefined, flush: () => undefined };
  const observe = { sightings: () => undefined, committed: () => undefined };
  return {
    clock,
    batches,
    stored: () => batches.reduce((sum, { sightings }) => sum + sightings.length, 0),
    open: () =>
      createIntake({
        ...{ agentNo: 1, ledger, clock, pace, counters: createCounters(), observe, outbox },
        onFailure: (error) => assert.fail(String(error)),
      }),
  };
}
