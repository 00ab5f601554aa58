import assert from "node:assert/strict";
import { test } from "node:test";
import type { Digest } from "@fleetban/proto/model/digest";
import {
  type Epoch,
  LIST_EXEMPT,
  LIST_FEEDS,
  LIST_FLEET,
  type List,
  type ListNo,
  type Revision,
} from "@fleetban/proto/model/listing";
import type { CoordinatorMessage } from "@fleetban/proto/wire/fleet";
import type { MirrorPosition, Outgoing } from "../ledger/ledger.ts";
import { Outbox } from "./outbox.ts";

const LISTS = [LIST_EXEMPT, LIST_FLEET, LIST_FEEDS].map((list) => ({ list }) as List);

test("lists are brought up to date in their order, each by deltas until the ledger has nothing more", () => {
  const { outbox, written, heads } = start({ revisions: { 1: 3, 2: 5, 3: 0 } });
  assert.deepEqual(written, ["delta 1 to 3", "delta 2 to 5"]);
  heads.set(LIST_FLEET, 6);
  outbox.wake([LIST_FLEET]);
  assert.deepEqual(written.slice(2), ["delta 2 to 6"]);
});

test("a full stream gets nothing more, and on drain one collapsed delta however often the list moved", () => {
  const { outbox, written, heads, pipe } = start({ revisions: { 1: 0, 2: 1, 3: 0 } });
  pipe.isFull = true;
  for (let revision = 2; revision <= 1_000; revision += 1) {
    heads.set(LIST_FLEET, revision);
    outbox.wake([LIST_FLEET]);
  }
  assert.deepEqual(written, ["delta 2 to 1", "delta 2 to 2"]); // the one whose write said "full"
  pipe.isFull = false;
  outbox.drained();
  assert.deepEqual(written.slice(2), ["delta 2 to 1000"]);
});

test("at most two chunks are on their way, and a fresh ban goes between them", () => {
  const { outbox, written, heads } = start({ revisions: { 1: 0, 2: 1, 3: 9 }, snapshots: { 3: 4 } });
  assert.deepEqual(written, ["delta 2 to 1", "chunk 3.0", "chunk 3.1"]);
  heads.set(LIST_FLEET, 2);
  outbox.wake([LIST_FLEET]);
  outbox.chunkReceived({ list: 3, revision: 9, chunk: 0 });
  outbox.chunkReceived({ list: 3, revision: 9, chunk: 1 });
  assert.deepEqual(written.slice(3), ["delta 2 to 2", "chunk 3.2", "chunk 3.3"]);
  heads.set(LIST_FEEDS, 10);
  outbox.wake([LIST_FEEDS]);
  assert.deepEqual(written.slice(6), ["delta 3 to 10"]); // after the last chunk, without its test of size
});

test("an acknowledged chunk that was not sent ends the stream", () => {
  const { outbox } = start({ revisions: { 1: 0, 2: 0, 3: 9 }, snapshots: { 3: 4 } });
  assert.throws(() => outbox.chunkReceived({ list: 3, revision: 9, chunk: 1 }), /chunk 1 of list 3 .* was not sent/);
});

test("answers of one commit are one Ack an incarnation", () => {
  const { outbox, written } = start({ revisions: { 1: 0, 2: 0, 3: 0 } });
  const [one, other] = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)];
  outbox.acknowledge(one, 4, { overQuota: 1, refused: 0 });
  outbox.acknowledge(other, 9, { overQuota: 0, refused: 0 });
  outbox.acknowledge(one, 7, { overQuota: 2, refused: 3 });
  outbox.flush();
  assert.deepEqual(written, ["ack 01 to 7, 3 over quota, 3 refused", "ack 02 to 9, 0 over quota, 0 refused"]);
});

test("what waits for a full stream is bounded", () => {
  const { outbox, written, pipe } = start({ revisions: { 1: 0, 2: 0, 3: 0 } });
  pipe.isFull = true;
  const sent = Array.from({ length: 200 }, () => outbox.send({ kind: { $case: "settings", value: {} as never } }));
  assert.equal(written.length, 1);
  assert.equal(sent.filter(Boolean).length, 65); // the one written and 64 that wait
  const acknowledge = (spool: number) => outbox.acknowledge(Buffer.alloc(16, spool), 1, { overQuota: 0, refused: 0 });
  for (let spool = 0; spool < 64; spool += 1) acknowledge(spool);
  acknowledge(63);
  assert.throws(() => acknowledge(64), /more than 64 spools/);
});

/** A ledger that goes from any position to its head in one delta, or by a snapshot where the position is absent. */
function start({
  revisions,
  snapshots = {},
}: {
  revisions: Record<number, number>;
  snapshots?: Record<number, number>;
}) {
  const heads = new Map(Object.entries(revisions).map(([list, revision]) => [Number(list) as ListNo, revision]));
  const pipe = { isFull: false };
  const written: string[] = [];
  const write = (message: CoordinatorMessage | Buffer) => {
    written.push(Buffer.isBuffer(message) ? message.toString() : textOf(message));
    return !pipe.isFull;
  };
  const ledger = {
    deltaSince(list: ListNo, from: MirrorPosition | undefined): Outgoing {
      const head = heads.get(list)!;
      const chunks = snapshots[list];
      if (from === undefined && chunks !== undefined) {
        const source = { first: 0, count: chunks, message: (chunk: number) => Buffer.from(`chunk ${list}.${chunk}`) };
        const revision = head as Revision;
        return { kind: "snapshot", reason: "new", chunks: source, revision, to: position(revision) };
      }
      if ((from?.revision ?? 0) === head) return { kind: "nothing" };
      const message = Buffer.from(`delta ${list} to ${head}`);
      const toRevision = head as Revision;
      return { kind: "delta", message, toRevision, to: position(toRevision), bytes: message.length };
    },
  };
  const outbox = new Outbox({ ledger, write, onSnapshot: () => undefined, onDelta: () => undefined }, [1]);
  outbox.open(LISTS, new Map());
  return { outbox, written, heads, pipe };
}

function position(revision: Revision): MirrorPosition {
  return { epoch: "00".repeat(16) as Epoch, revision, digest: 0n as Digest };
}

function textOf({ kind }: CoordinatorMessage): string {
  if (kind?.$case !== "ack") return kind?.$case ?? "nothing";
  const { incarnation, seq, overQuota, refused } = kind.value;
  return `ack ${incarnation.toString("hex", 0, 1)} to ${seq}, ${overQuota} over quota, ${refused} refused`;
}
