/** What agents are sent: snapshots and deltas that always add up to the head, whatever happened before. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import { LIST_EXEMPT, LIST_FEEDS, LIST_FLEET, type ListNo, rank } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import { deltaFromMessage } from "@fleetban/proto/wire/delta";
import { CoordinatorMessage } from "@fleetban/proto/wire/fleet";
import { chunkFromMessage, decodeSnapshotBody } from "@fleetban/proto/wire/snapshot";
import fc from "fast-check";
import { createTestDatabase } from "../store/test-database.ts";
import { eventually } from "./eventually.fixture.ts";
import { openTestLedger } from "./ledger.fixture.ts";
import type { Ledger, ListChange, MirrorPosition, Outgoing } from "./ledger.ts";
import { assertRecounted } from "./recount.fixture.ts";

const features = [1];

test("snapshot and deltas add up to the head after any history, on every replica", async (t) => {
  const database = await createTestDatabase(t);
  const replicas = [await openTestLedger(t, database.store), await openTestLedger(t, await database.open())];
  const [one] = replicas as [Ledger];
  const mirrors = [mirrorOf(LIST_FLEET), mirrorOf(LIST_EXEMPT)];
  await fc.assert(
    fc.asyncProperty(anyHistory(), async (commits) => {
      for (const [at, changes] of commits.entries()) {
        const replica = replicas[at % replicas.length] as Ledger;
        const { revision } = await replica.write({ kind: "operator" }, async () => changes, { approved: at % 3 === 0 });
        for (const other of replicas) await other.catchUp((revision ?? 0) as never);
        if (at % 2 === 0) await update(mirrors[0]!, one);
      }
      await assertRecounted(database.store, replicas);
      for (const mirror of mirrors) {
        for (const replica of replicas) {
          const late = mirrorOf(mirror.list);
          await update(late, replica);
          assert.deepEqual(contents(late.blocklist), head(one, mirror.list));
        }
        await update(mirror, one);
        assert.deepEqual(contents(mirror.blocklist), head(one, mirror.list));
      }
    }),
    { numRuns: 15 },
  );
});

test("a delta is encoded once for everybody who stands at the same revision", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const mirror = mirrorOf(LIST_FLEET);
  await update(mirror, ledger);
  await put(ledger, LIST_FLEET, ["198.50.0.1"]);
  const deltas = [1, 2].map(() => ledger.deltaSince(LIST_FLEET, mirror.position, features));
  const [first, second] = deltas.map((delta) => (delta.kind === "delta" ? delta.message : undefined));
  assert.ok(first !== undefined && first === second);
});

test("positions that can't be believed get a snapshot with the reason", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  await put(ledger, LIST_FLEET, ["198.50.0.1"]);
  await put(ledger, LIST_FLEET, ["198.50.0.2"]);
  const mirror = mirrorOf(LIST_FLEET);
  await update(mirror, ledger);
  const at = mirror.position as MirrorPosition;
  const reasons = [
    undefined,
    { ...at, epoch: "00".repeat(16) as never },
    { ...at, revision: 99 as never },
    { ...at, digest: 1n as never },
    { ...at, revision: 1 as never },
    at,
  ].map((position) => {
    const outgoing = ledger.deltaSince(LIST_FLEET, position, features);
    return outgoing.kind === "snapshot" ? outgoing.reason : outgoing.kind;
  });
  assert.deepEqual(reasons, ["new", "new", "ahead", "differs", "differs", "nothing"]);
  assert.equal(ledger.deltaSince(LIST_FLEET, at, []).kind, "withheld");
});

test("what is approved is never in one delta with what is not", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const mirror = mirrorOf(LIST_FLEET);
  await update(mirror, ledger);
  for (const approved of [false, false, true, true, false]) {
    await put(ledger, LIST_FLEET, [`198.50.${approved ? 1 : 0}.${ledger.lists()[1]!.listings + 1}`], { approved });
  }
  const deltas: [number, boolean][] = [];
  await update(mirror, ledger, (delta) => deltas.push([delta.put.length, delta.approved]));
  assert.deepEqual(deltas, [
    [2, false],
    [2, true],
    [1, false],
  ]);
});

test("a revision marked kept is stored as a snapshot, ends deltas, and lets history go", async (t) => {
  const database = await createTestDatabase(t);
  const { store } = database;
  const ledger = await openTestLedger(t, store);
  const other = await openTestLedger(t, await database.open());
  const old = mirrorOf(LIST_FEEDS);
  await put(ledger, LIST_FEEDS, ["198.50.0.1"]);
  await update(old, ledger);
  for (let round = 1; round <= 3; round += 1) {
    await store.sql`update lists set kept_at = kept_at - interval '11 minutes'`;
    const many = Array.from({ length: 1_500 }, (_, at) => `20.${round}.${at >> 8}.${at & 255}`);
    await put(ledger, LIST_FEEDS, many);
    await put(ledger, LIST_FEEDS, [`198.50.1.${round}`]);
    await eventually("the snapshot is stored", async () => {
      const [newest] = await store.sql<{ revision: number }[]>`
        select max(revision)::int as revision from snapshots where list_no = 3`;
      return newest?.revision === 2 * round;
    });
  }
  const kept = await store.sql<{ revision: number }[]>`select revision from revisions where list_no = 3 and kept`;
  assert.deepEqual(kept.map(({ revision }) => revision).slice(-2), [4, 6]);
  const oldest = await store.sql<
    { revision: number }[]
  >`select min(revision)::int as revision from changes where list_no = 3`;
  assert.equal(oldest[0]?.revision, 5);
  for (const replica of [ledger, other]) {
    const outgoing = await eventually("the snapshot is in memory", async () => {
      const answer = replica.deltaSince(LIST_FEEDS, undefined, features);
      return answer.kind === "snapshot" && answer.revision === 6 ? answer : undefined;
    });
    assert.equal(outgoing.reason, "new");
    const late = mirrorOf(LIST_FEEDS);
    await update(late, replica);
    assert.deepEqual(contents(late.blocklist), head(ledger, LIST_FEEDS));
    const tooOld = replica.deltaSince(LIST_FEEDS, old.position, features);
    assert.equal(tooOld.kind === "snapshot" && tooOld.reason, "too old");
  }
  const partial = ledger.deltaSince(LIST_FEEDS, undefined, features) as Outgoing & { kind: "snapshot" };
  assert.equal(partial.chunks.first, 0);
  const restarted = await openTestLedger(t, await database.open());
  assert.deepEqual(head(restarted, LIST_FEEDS), head(ledger, LIST_FEEDS));
});

test("a database that has lost commits begins a new epoch, with digests that are right", async (t) => {
  const database = await createTestDatabase(t);
  const { store } = database;
  const ledger = await openTestLedger(t, store);
  const other = await openTestLedger(t, await database.open());
  await put(ledger, LIST_FLEET, ["198.50.0.1"]);
  await put(ledger, LIST_FLEET, ["198.50.0.2"]);
  const { epoch } = ledger;
  // As after a fail-over to a standby that had not got the last commit.
  await store.transaction(async (sql) => {
    await sql`update ledger set revision = 1`;
    await sql`update lists set revision = 1 where list_no = 2`;
    await sql`delete from listings where prefix = '198.50.0.2'`;
    await sql`delete from changes where revision = 2`;
    await sql`delete from revisions where revision = 2`;
  });
  for (const replica of [ledger, other]) await eventually("a new epoch", async () => replica.epoch !== epoch);
  assert.equal(ledger.epoch, other.epoch);
  assert.equal(ledger.get(LIST_FLEET, parsePrefix("198.50.0.2")), undefined);
  await put(ledger, LIST_FLEET, ["198.50.0.3"]);
  await assertRecounted(store, [ledger, other]);
});

test("a memory that differs from the ledger is loaded anew", async (t) => {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  await put(ledger, LIST_FLEET, ["198.50.0.1"]);
  await store.sql`update lists set digest = digest + 1 where list_no = 2`; // as a bit that flipped would have it
  await put(ledger, LIST_FLEET, ["198.50.0.2"]);
  await store.sql`update lists set digest = digest - 1 where list_no = 2`;
  await store.sql`update revisions set digest = digest - 1 where revision = 2`;
  await eventually("it is right again", async () => {
    await ledger.catchUp(99 as never);
    return ledger.lists()[1]?.revision === 2;
  });
  await put(ledger, LIST_FLEET, ["198.50.0.3"]);
  await assertRecounted(store, [ledger]);
  const mirror = mirrorOf(LIST_FLEET);
  await update(mirror, ledger);
  assert.deepEqual(mirror.blocklist?.size, 3);
});

interface TestMirror {
  readonly list: ListNo;
  blocklist: Blocklist | undefined;
  position: MirrorPosition | undefined;
}

function mirrorOf(list: ListNo): TestMirror {
  return { list, blocklist: undefined, position: undefined };
}

/** As an agent does it: every digest is checked. */
async function update(mirror: TestMirror, ledger: Ledger, seen?: (delta: ReturnType<typeof deltaFromMessage>) => void) {
  for (;;) {
    const outgoing = ledger.deltaSince(mirror.list, mirror.position, features);
    if (outgoing.kind === "nothing") return;
    if (outgoing.kind === "snapshot") await takeSnapshot(mirror, ledger, outgoing);
    if (outgoing.kind !== "delta") continue;
    const message = CoordinatorMessage.decode(outgoing.message).kind;
    assert.ok(message?.$case === "delta" && mirror.blocklist !== undefined);
    const delta = deltaFromMessage(message.value);
    assert.equal(delta.fromRevision, mirror.position?.revision);
    for (const prefix of delta.remove) mirror.blocklist.remove(prefix);
    for (const listing of delta.put) mirror.blocklist.put(listing);
    assert.deepEqual([mirror.blocklist.digest, mirror.blocklist.size], [delta.digest, delta.listings]);
    mirror.position = outgoing.to;
    seen?.(delta);
  }
}

async function takeSnapshot(mirror: TestMirror, ledger: Ledger, { chunks, to }: Outgoing & { kind: "snapshot" }) {
  const received = Array.from({ length: chunks.count - chunks.first }, (_, at) => {
    const message = CoordinatorMessage.decode(chunks.message(chunks.first + at)).kind;
    assert.ok(message?.$case === "snapshotChunk");
    return chunkFromMessage(message.value);
  });
  const body = Buffer.concat(received.map((chunk) => chunk.body));
  mirror.blocklist = await decodeSnapshotBody(body, { ...received[0]!, key: ledger.digestKey });
  mirror.position = to;
}

async function put(ledger: Ledger, list: ListNo, prefixes: string[], options?: { approved: boolean }) {
  const to = { until: unixSeconds(2_000_000_000), rank: rank(2), reasons: [] };
  await ledger.write(
    { kind: "operator" },
    async () => prefixes.map((prefix) => ({ list, prefix: noted(prefix), to })),
    options,
  );
}

function contents(blocklist: Blocklist | undefined): string[] {
  return Array.from(blocklist?.listings() ?? [], (listing) => JSON.stringify(listing)).sort();
}

/** Of all prefixes that any test has put. */
function head(ledger: Ledger, list: ListNo): string[] {
  const listings = [...everPut].map((prefix) => ledger.get(list, prefix)).filter((listing) => listing !== undefined);
  return listings.map((listing) => JSON.stringify(listing)).sort();
}

const everPut = new Set<Prefix>();

function noted(text: string): Prefix {
  const prefix = parsePrefix(text);
  everPut.add(prefix);
  return prefix;
}

function anyHistory(): fc.Arbitrary<ListChange[][]> {
  const prefix = fc
    .oneof(
      fc.tuple(fc.nat(3), fc.nat(3)).map(([a, b]) => `198.50.${a}.${b + 1}`),
      fc.nat(3).map((a) => `198.52.${a}.0/24`),
      fc.nat(5).map((a) => `2600:0:0:${a + 1}::/64`),
    )
    .map(noted);
  const to = fc.record({
    until: fc.constantFrom(0, 2_000_000_000, 2_000_000_001).map(unixSeconds),
    rank: fc.nat(3).map(rank),
    reasons: fc.constant([]),
  });
  const change = fc.record({
    list: fc.constantFrom(LIST_FLEET, LIST_EXEMPT),
    prefix,
    to: fc.option(to, { nil: undefined }),
  });
  return fc.array(fc.array(change, { maxLength: 12 }), { minLength: 1, maxLength: 8 });
}
