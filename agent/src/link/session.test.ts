import assert from "node:assert/strict";
import { test } from "node:test";
import { Ack, Delta, Goodbye, Probe, SnapshotChunk } from "@fleetban/proto/wire/fleet";
import { coordinatorFixture, sessionParts, spoolFixture } from "./session.fixture.ts";
import { runSession } from "./session.ts";

const goodbye = {
  $case: "goodbye",
  value: Goodbye.fromPartial({ reason: 1, retryAfterMs: 500, addresses: ["b:1"] }),
} as const;

test("what the spool holds goes up in one message and stays there until it is acknowledged", async () => {
  const coordinator = coordinatorFixture();
  const { spool, ackedSeq } = spoolFixture(3);
  const { parts, clock } = sessionParts({ spool });
  const session = runSession(parts, coordinator.connection, new AbortController().signal);
  coordinator.welcomes();
  await clock.run(10);
  const sightings = coordinator.sent.flatMap(({ kind }) => (kind?.$case === "sightings" ? [kind.value] : []));
  assert.deepEqual(
    sightings.map(({ firstSeq, items }) => [firstSeq, items.length]),
    [[1, 3]],
  );
  assert.equal(ackedSeq(), 0);
  coordinator.says({ $case: "ack", value: Ack.fromPartial({ incarnation: Buffer.alloc(16, 7), seq: 3 }) });
  coordinator.says(goodbye);
  assert.deepEqual(await session, { kind: "goodbye", reason: "draining", retryAfterMs: 500, addresses: ["b:1"] });
  assert.equal(ackedSeq(), 3);
});

test("no more than a window of sightings is on the way", async () => {
  const coordinator = coordinatorFixture();
  const { spool } = spoolFixture(5_000);
  const { parts, clock } = sessionParts({ spool });
  const session = runSession(parts, coordinator.connection, new AbortController().signal);
  coordinator.welcomes();
  await clock.run(10);
  const sent = () =>
    coordinator.sent.reduce((sum, { kind }) => sum + (kind?.$case === "sightings" ? kind.value.items.length : 0), 0);
  assert.equal(sent(), 2_000);
  coordinator.says({ $case: "ack", value: Ack.fromPartial({ incarnation: Buffer.alloc(16, 7), seq: 500 }) });
  await clock.run(20);
  assert.equal(sent(), 2_500);
  coordinator.says(goodbye);
  await session;
});

test("a mirror that differs ends the session and names the list", async () => {
  const coordinator = coordinatorFixture();
  const { parts } = sessionParts();
  const lists = { ...parts.lists, delta: async () => ({ kind: "differs", reason: "digest" }) as const };
  const session = runSession({ ...parts, lists }, coordinator.connection, new AbortController().signal);
  coordinator.welcomes();
  coordinator.says({ $case: "delta", value: Delta.fromPartial({ list: 2 }) });
  assert.deepEqual(await session, { kind: "resync", list: 2 });
});

test("each snapshot chunk is acknowledged, and a probe is answered", async () => {
  const coordinator = coordinatorFixture();
  const { parts } = sessionParts();
  const session = runSession(parts, coordinator.connection, new AbortController().signal);
  coordinator.welcomes();
  for (const chunk of [0, 1]) {
    const value = SnapshotChunk.fromPartial({ list: 3, revision: 9, chunk, chunks: 2 });
    coordinator.says({ $case: "snapshotChunk", value });
  }
  coordinator.says({ $case: "probe", value: Probe.fromPartial({ probeNo: 5 }) });
  coordinator.says(goodbye);
  await session;
  const kinds = coordinator.sentKinds().filter((kind) => kind === "chunkReceived" || kind === "probeResult");
  assert.deepEqual(kinds, ["chunkReceived", "chunkReceived", "probeResult"]);
});

test("a stream that breaks is lost with its cause, one that is aborted rejects", async () => {
  const coordinator = coordinatorFixture();
  const { parts, clock } = sessionParts();
  const session = runSession(parts, coordinator.connection, new AbortController().signal);
  coordinator.welcomes();
  await clock.run(10);
  coordinator.breaks(new Error("cut"));
  const end = await session;
  assert.equal(end.kind, "lost");

  const stop = new AbortController();
  const other = coordinatorFixture();
  const aborted = runSession(sessionParts().parts, other.connection, stop.signal);
  other.welcomes();
  stop.abort(new Error("stopping"));
  await assert.rejects(aborted, /stopping/);
});

test("a coordinator that never answers Hello, or with something else, is given up", async () => {
  const silent = coordinatorFixture();
  const { parts, clock } = sessionParts();
  const session = runSession(parts, silent.connection, new AbortController().signal);
  await clock.run(11_000);
  const end = await session;
  assert.match(end.kind === "lost" ? String(end.cause) : "", /did not answer Hello within 10000 ms/);

  const odd = coordinatorFixture();
  const oddSession = runSession(sessionParts().parts, odd.connection, new AbortController().signal);
  odd.says({ $case: "ack", value: Ack.fromPartial({}) });
  const oddEnd = await oddSession;
  assert.match(oddEnd.kind === "lost" ? String(oddEnd.cause) : "", /first message is no Welcome/);
});

test("a stream ends with the certificate that it was opened with, not with a later one", async () => {
  const coordinator = coordinatorFixture();
  const { parts, clock } = sessionParts();
  let endsAtMs = clock.nowMs() + 90 * 60_000;
  let isOver = false;
  const session = runSession(
    { ...parts, certificateEndsAtMs: () => endsAtMs },
    coordinator.connection,
    new AbortController().signal,
  ).finally(() => {
    isOver = true;
  });
  coordinator.welcomes();
  await clock.run(89 * 60_000);
  assert.equal(isOver, false);
  endsAtMs *= 2; // renewed meanwhile
  await clock.run(90 * 60_000);
  const end = await session;
  assert.match(end.kind === "lost" ? String(end.cause) : "", /certificate ended at/);
  assert.equal(coordinator.isClosed(), true);
});
