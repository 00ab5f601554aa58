import assert from "node:assert/strict";
import { test } from "node:test";
import type { Background } from "@fleetban/kit/background";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { Blocklist } from "@fleetban/proto/model/blocklist";
import { parseDigestKey } from "@fleetban/proto/model/digest";
import { type Epoch, LIST_FLEET, type Listing, RANK, revision } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { encodeDelta } from "@fleetban/proto/wire/delta";
import { CoordinatorMessage, Effect, type SnapshotChunk, Welcome } from "@fleetban/proto/wire/fleet";
import { chunksOf, encodeSnapshotBody } from "@fleetban/proto/wire/snapshot";
import { createEnforcement, MAX_MIRRORED_LISTINGS } from "./enforcement.ts";
import type { Firewall } from "./firewall/firewall.ts";
import { Mirror } from "./mirror/mirror.ts";

const key = parseDigestKey(new Uint8Array(16).fill(9));
const epoch = "11".repeat(16) as Epoch;
const listing = (prefix: string): Listing => ({
  prefix: parsePrefix(prefix),
  until: 0 as UnixSeconds,
  rank: RANK.fleet,
  begun: 0 as UnixSeconds,
});

/** An agent with an empty mirror that has been welcomed, and a ledger's list to speak for the coordinator. */
async function welcomedFixture(background?: Background) {
  const clock = { ...createVirtualClock(0), ...(background === undefined ? {} : { background }) };
  const mirror = new Mirror(clock);
  const told: string[] = [];
  const firewall = {
    onLists: async () => void told.push("lists"),
    onSnapshot: async () => void told.push("snapshot"),
    onDelta: () => void told.push("delta"),
    onRemoved: async () => void told.push("removed"),
  } as unknown as Firewall;
  const saved: string[] = [];
  const file = {
    load: async () => undefined,
    recordDelta: () => void saved.push("delta"),
    recordList: () => undefined,
    save: () => void saved.push("whole"),
    remove: () => void saved.push("removed"),
    flush: async () => undefined,
    unsaved: () => new Map(),
    close: async () => undefined,
  };
  const enforcement = createEnforcement({
    ...{ mirror, file, firewall, clock, log: silentLog },
    onExemptChanged: () => undefined,
    onDiffers: (_, reason) => told.push(reason),
  });
  const lists = [
    {
      list: LIST_FLEET,
      name: "fleet",
      effect: Effect.EFFECT_DENY,
      reach: { $case: "allTraffic", value: {} },
      leaseSeconds: 3_600,
    },
  ] as const;
  await enforcement.welcomed(Welcome.fromPartial({ digestKey: Buffer.alloc(16, 9), lists: [...lists] }));
  return { clock, mirror, enforcement, told, saved, ledger: new Blocklist(LIST_FLEET, key) };
}

async function chunksOfLedger(ledger: Blocklist, at: number): Promise<SnapshotChunk[]> {
  const body = await encodeSnapshotBody(ledger);
  const { digest, size } = ledger;
  const snapshot = {
    list: LIST_FLEET,
    epoch,
    revision: revision(at),
    digest,
    listings: size,
    approved: false,
    ...body,
  };
  return [...chunksOf(snapshot)].map((bytes) => CoordinatorMessage.decode(bytes).kind?.value as SnapshotChunk);
}

function deltaTo(ledger: Blocklist, from: number, put: Listing, digest = ledger.put(put) && ledger.digest) {
  const bytes = encodeDelta({
    ...{ list: LIST_FLEET, epoch, fromRevision: revision(from), toRevision: revision(from + 1) },
    ...{ digest: digest ?? ledger.digest, listings: ledger.size, committedAtMs: 1, approved: false },
    ...{ reportWithinMs: 0, remove: [], put: [put] },
  });
  const { kind } = CoordinatorMessage.decode(bytes);
  assert.equal(kind?.$case, "delta");
  return kind.value;
}

test("a snapshot and the deltas after it make the mirror the ledger's, on disk and in the firewall", async () => {
  const { mirror, enforcement, told, saved, ledger } = await welcomedFixture();
  ledger.put(listing("45.83.64.9"));
  for (const chunk of await chunksOfLedger(ledger, 4)) await enforcement.snapshotChunk(chunk);
  assert.deepEqual(await enforcement.delta(deltaTo(ledger, 4, listing("45.83.64.0/24"))), { kind: "applied" });
  assert.equal(mirror.get(LIST_FLEET)?.held?.blocklist.digest, ledger.digest);
  assert.equal(mirror.get(LIST_FLEET)?.held?.revision, 5);
  assert.deepEqual(saved, ["whole", "delta"]);
  assert.deepEqual(told, ["lists", "snapshot", "delta"]);
});

test("a fresh ban does not wait while work that can wait rests", async () => {
  const resting = { begin: () => ({ end: () => undefined }), pieceMs: 0, restMs: () => 60_000, share: 0.025 };
  const { enforcement, told, mirror, ledger } = await welcomedFixture(resting);
  ledger.put(listing("45.83.64.9"));
  const held = { blocklist: ledger.clone(), epoch, revision: revision(4), committedAtMs: 0, isDigestProven: true };
  mirror.replace(LIST_FLEET, held);
  // The clock stands still: whoever rests, rests for ever.
  assert.deepEqual(await enforcement.delta(deltaTo(ledger, 4, listing("45.83.64.10"))), { kind: "applied" });
  assert.equal(told.at(-1), "delta");
});

test("a delta with another digest changes nothing, and its list is asked for anew until a snapshot has come", async () => {
  const { mirror, enforcement, told, ledger } = await welcomedFixture();
  ledger.put(listing("45.83.64.9"));
  for (const chunk of await chunksOfLedger(ledger, 4)) await enforcement.snapshotChunk(chunk);
  const before = mirror.get(LIST_FLEET)?.held?.blocklist.digest;
  const wrong = await enforcement.delta(deltaTo(ledger, 4, listing("45.83.65.9"), before));
  assert.equal(wrong.kind, "differs");
  assert.equal(mirror.get(LIST_FLEET)?.held?.blocklist.digest, before);
  assert.ok(enforcement.isDistrusted(LIST_FLEET));
  assert.ok(!told.includes("delta"));
  for (const chunk of await chunksOfLedger(ledger, 5)) await enforcement.snapshotChunk(chunk);
  assert.ok(!enforcement.isDistrusted(LIST_FLEET));
});

test("damaged messages are answered by asking anew, not by an end of the agent", async () => {
  const { mirror, enforcement, told, ledger } = await welcomedFixture();
  ledger.put(listing("45.83.64.9"));
  const [chunk] = await chunksOfLedger(ledger, 4);
  assert.ok(chunk);
  const flipped = Buffer.from(chunk.body);
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  assert.equal((await enforcement.snapshotChunk({ ...chunk, body: flipped })).kind, "differs");
  assert.equal((await enforcement.snapshotChunk({ ...chunk, chunks: 7 })).kind, "differs");
  const other = { ...chunk, columnsSha256: Buffer.alloc(32, 7) };
  assert.equal((await enforcement.snapshotChunk(other)).kind, "differs");
  assert.match(told.at(-1) ?? "", /columns have SHA-256 .* where 0707/);
  assert.equal(mirror.get(LIST_FLEET)?.held, undefined);
  assert.ok(enforcement.isDistrusted(LIST_FLEET));
  assert.equal((await enforcement.snapshotChunk(chunk)).kind, "complete");
  const delta = deltaTo(ledger, 4, listing("45.83.66.9"));
  assert.equal((await enforcement.delta({ ...delta, digest: Buffer.alloc(3) })).kind, "differs");
});

test("a list larger than this machine is given memory for is passed over, the old one stays, and the stream goes on", async () => {
  const { mirror, enforcement, told, ledger, clock } = await welcomedFixture();
  ledger.put(listing("45.83.64.9"));
  const [chunk] = await chunksOfLedger(ledger, 4);
  assert.ok(chunk);
  assert.equal((await enforcement.snapshotChunk(chunk)).kind, "complete");
  const larger = { ...chunk, revision: 5, listings: MAX_MIRRORED_LISTINGS + 1, chunks: 2, bytes: 131_072 };
  const body = Buffer.alloc(65_536);
  for (const no of [0, 1]) {
    assert.equal((await enforcement.snapshotChunk({ ...larger, chunk: no, body })).kind, "passed-over");
  }
  assert.equal(told.filter((what) => what === "4194305 listings are more than 4194304").length, 1);
  const delta = deltaTo(ledger, 4, listing("45.83.64.10"));
  assert.equal((await enforcement.delta(delta)).kind, "passed-over");
  assert.equal(mirror.get(LIST_FLEET)?.held?.revision, 4);
  assert.ok(enforcement.isDistrusted(LIST_FLEET), "the next stream asks for it whole");
  await clock.run(3_600_000);
  assert.equal((await enforcement.delta(delta)).kind, "differs", "it may be smaller by now");
});

test("a list leaves by ListRemoved only", async () => {
  const { mirror, enforcement, told, saved } = await welcomedFixture();
  await enforcement.lists([]);
  assert.notEqual(mirror.get(LIST_FLEET), undefined);
  await enforcement.removed(LIST_FLEET, false);
  assert.equal(mirror.get(LIST_FLEET), undefined);
  assert.deepEqual(told.at(-1), "removed");
  assert.deepEqual(saved, ["removed"]);
});
