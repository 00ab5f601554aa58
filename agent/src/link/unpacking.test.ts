import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_EXEMPT } from "@fleetban/proto/model/listing";
import type { CoordinatorMessage } from "@fleetban/proto/wire/fleet";
import type { SessionEnd } from "./state.ts";
import { createUnpacking } from "./unpacking.ts";

type Kind = NonNullable<CoordinatorMessage["kind"]>;

function lastChunk(list: number): CoordinatorMessage {
  return { kind: { $case: "snapshotChunk", value: { list, chunk: 2, chunks: 3 } } as Kind };
}

function delta(list: number, changes = 1): CoordinatorMessage {
  const put = { prefixes: { v4Count: changes, v6Count: 0 } };
  return { kind: { $case: "delta", value: { list, put, remove: undefined } } as Kind };
}

function unpackingFixture() {
  const ends: SessionEnd[] = [];
  const stopping = new AbortController();
  const finish = (end: SessionEnd) => {
    ends.push(end);
    stopping.abort();
  };
  return { ends, unpacking: createUnpacking(finish, stopping.signal) };
}

test("what comes for a list that is being unpacked waits for it in its order, another list does not", async () => {
  const { unpacking } = unpackingFixture();
  const unpacked = Promise.withResolvers<undefined>();
  const done: string[] = [];
  const act = (name: string) => async () => void done.push(name) as undefined;
  assert.equal(await unpacking.take(lastChunk(3), () => unpacked.promise.then(act("snapshot"))), true);
  assert.equal(await unpacking.take(delta(3), act("first")), true);
  assert.equal(await unpacking.take(delta(2), act("another list")), false);
  assert.equal(await unpacking.take(delta(3), act("second")), true);
  assert.deepEqual(done, []);
  unpacked.resolve(undefined);
  await unpacking.settled();
  assert.deepEqual(done, ["snapshot", "first", "second"]);
  assert.equal(await unpacking.take(delta(3), act("third")), false);
});

test("a long delta is one to be unpacked, a short one is not", async () => {
  const { unpacking } = unpackingFixture();
  const act = async () => undefined;
  assert.equal(await unpacking.take(delta(3, 2_000), act), true);
  await unpacking.settled();
  assert.equal(await unpacking.take(delta(3, 20), act), false);
});

test("nothing overtakes what is exempt", async () => {
  const { unpacking } = unpackingFixture();
  assert.equal(await unpacking.take(lastChunk(LIST_EXEMPT), async () => undefined), false);
});

test("what ends the session ends it, and what waits behind is not looked at", async () => {
  const { unpacking, ends } = unpackingFixture();
  let wasLookedAt = false;
  await unpacking.take(lastChunk(3), async () => ({ kind: "resync", list: 3 }));
  await unpacking.take(delta(3), async () => {
    wasLookedAt = true;
    return undefined;
  });
  await unpacking.settled();
  assert.deepEqual(ends, [{ kind: "resync", list: 3 }]);
  assert.equal(wasLookedAt, false);
});

test("a failure while unpacking is the end of the stream, with its cause", async () => {
  const { unpacking, ends } = unpackingFixture();
  const cause = new Error("no memory");
  await unpacking.take(lastChunk(3), () => Promise.reject(cause));
  await unpacking.settled();
  assert.deepEqual(ends, [{ kind: "lost", cause }]);
});
