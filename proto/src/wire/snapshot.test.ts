import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { seededRandom } from "@fleetban/kit/random";
import fc from "fast-check";
import { Blocklist } from "../model/blocklist.ts";
import { sumInSlices } from "../model/blocklist-columns.ts";
import { EMPTY_DIGEST } from "../model/digest.ts";
import { anyPrefix, keyFixture, listFixture, listingFixture, listingsOver } from "../model/listing.fixture.ts";
import type { Epoch, Listing, Revision } from "../model/listing.ts";
import { prefixFromBytes } from "../model/prefix.ts";
import { canonicalSha256 } from "./columns.ts";
import { CoordinatorMessage, type SnapshotChunk } from "./gen/fleetban/v1/fleet.ts";
import {
  CHUNK_BYTES,
  chunkCount,
  chunkFromMessage,
  chunksOf,
  decodeSnapshotBody,
  encodeSnapshotBody,
  type Snapshot,
} from "./snapshot.ts";
import { WireError } from "./wire-error.ts";

test("a list comes back from its snapshot, with equal digest, count and canonical SHA-256", async () => {
  await fc.assert(
    fc.asyncProperty(listingsOver(anyPrefix), async (listings) => {
      const blocklist = filled(listings);
      const { body, sha256, columnsSha256 } = await encodeSnapshotBody(blocklist);
      const back = await decodeSnapshotBody(body, { ...expected(blocklist), sha256, columnsSha256 });
      assert.deepEqual([...back.sorted()], [...blocklist.sorted()]);
      assert.equal(back.digest, blocklist.digest);
      assert.deepEqual(canonicalSha256(back.columns()), columnsSha256);
    }),
  );
});

test("a body goes in chunks of at most 65,536 bytes and resumes at any of them", async () => {
  const snapshot = await largeSnapshot();
  const chunks = [...chunksOf(snapshot)].map((bytes) => chunkFromMessage(chunkIn(bytes)));
  assert.equal(chunks.length, chunkCount(snapshot.body.length));
  assert.ok(chunks.length >= 3);
  assert.deepEqual(Buffer.concat(chunks.map(({ body }) => body)), snapshot.body);
  for (const [index, { chunk, chunks: count, bodyBytes, body }] of chunks.entries()) {
    assert.deepEqual([chunk, count, bodyBytes], [index, chunks.length, snapshot.body.length]);
    assert.ok(body.length <= CHUNK_BYTES);
  }
  assert.deepEqual([...chunksOf(snapshot, 2)], [...chunksOf(snapshot)].slice(2));
});

test("others get their turns while a long snapshot is made or read, and may change the list meanwhile", async () => {
  const blocklist = largeList();
  const { list, key, size: listings, digest } = blocklist;
  const [some] = blocklist.listings();
  let turnsTaken = 0;
  const turns = {
    isOver: () => true,
    next: async () => {
      turnsTaken += 1;
      if (some !== undefined) blocklist.remove(some.prefix);
    },
  };
  const { body, sha256, columnsSha256 } = await encodeSnapshotBody(blocklist, turns);
  assert.ok(turnsTaken >= 21, `${turnsTaken} turns`); // 60,000 rows, three times, in slices of 8,192
  assert.equal(blocklist.size, listings - 1);
  turnsTaken = 0;
  const back = await decodeSnapshotBody(body, { list, key, sha256, columnsSha256, listings, digest }, turns);
  assert.ok(turnsTaken >= 14, `${turnsTaken} turns`);
  assert.equal(back.size, listings);
});

test("a digest that was believed with the SHA-256 is found wrong when it is summed", async () => {
  const blocklist = filled([listingFixture(prefixFromBytes(Uint8Array.of(192, 0, 2, 7)))]);
  const { body, sha256, columnsSha256 } = await encodeSnapshotBody(blocklist);
  const wrong = { sha256, columnsSha256, digest: EMPTY_DIGEST };
  const back = await decodeSnapshotBody(body, { ...expected(blocklist), ...wrong });
  const slices = sumInSlices(back, back.columns());
  assert.equal(slices.next().value, blocklist.digest);
  assert.notEqual(back.digest, blocklist.digest);
});

test("a body that is damaged, cut, or holds another number of listings is refused", async () => {
  const snapshot = await largeSnapshot();
  const { body, sha256 } = snapshot;
  const listings = snapshot.listings;
  const damaged = Buffer.from(body);
  damaged[1_000] = (damaged[1_000] ?? 0) ^ 1;
  await refuses(damaged, sha256, listings, /another SHA-256/);
  await refuses(body.subarray(1), sha256, listings, /another SHA-256/);
  await refuses(body, sha256, listings + 1, /were announced/);
  await refuses(body, sha256, listings - 1, /where at most/);
  await refuses(body, sha256, 100_000_000, /too many/);
  await refuses(body, sha256, listings, /columns have SHA-256 [0-9a-f]{64} where 0{64}/);
  const notGzip = Buffer.from("no gzip at all");
  await refuses(notGzip, sha256Of(notGzip), 1, /can't be unpacked/);
});

test("a small body that unpacks to gigabytes is refused at the bound of its listings", async () => {
  const bomb = gzipSync(Buffer.alloc(64_000_000));
  const before = process.memoryUsage().arrayBuffers;
  await refuses(bomb, sha256Of(bomb), 1_000, /can't be unpacked/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000);
});

test("chunks that can't be parts of one bounded body are refused", async () => {
  const [first = Buffer.alloc(0)] = chunksOf(await largeSnapshot());
  const good = chunkIn(first);
  const broken: readonly [Partial<SnapshotChunk>, RegExp][] = [
    [{ encoding: 1 }, /unknown encoding/],
    [{ listings: 20_000_000 }, /too many/],
    [{ bytes: 0 }, /can't hold/],
    [{ bytes: 2 ** 40 }, /can't hold/],
    [{ chunks: good.chunks + 1 }, /chunk 0 of/],
    [{ chunk: good.chunks }, /in a body of/],
    [{ body: good.body.subarray(1) }, /bytes where/],
    [{ chunk: good.chunks - 1 }, /bytes where/],
    [{ sha256: Buffer.alloc(31) }, /31 bytes/],
    [{ columnsSha256: Buffer.alloc(0) }, /0 bytes/],
    [{ digest: Buffer.alloc(8) }, /8 bytes/],
    [{ epoch: Buffer.alloc(0) }, /0 bytes/],
    [{ list: 0 }, /no list/],
  ];
  for (const [change, fault] of broken) {
    assert.throws(
      () => chunkFromMessage({ ...good, ...change }),
      (error) => {
        assert.ok(error instanceof WireError);
        assert.match(error.message, fault);
        return true;
      },
    );
  }
});

async function refuses(body: Uint8Array, sha256: Uint8Array, listings: number, fault: RegExp): Promise<void> {
  await assert.rejects(
    decodeSnapshotBody(body, {
      ...{ list: listFixture, key: keyFixture, sha256, listings, digest: EMPTY_DIGEST },
      columnsSha256: Buffer.alloc(32),
    }),
    (error) => {
      assert.ok(error instanceof WireError);
      assert.match(error.message, fault);
      return true;
    },
  );
}

/** Random addresses don't compress: 60,000 of them fill several chunks. */
function largeList(): Blocklist {
  const random = seededRandom(1);
  return filled(Array.from({ length: 60_000 }, () => listingFixture(prefixFromBytes(random.bytes(4)))));
}

async function largeSnapshot(): Promise<Snapshot> {
  const blocklist = largeList();
  const { list, digest, size: listings } = blocklist;
  const named = { list, epoch: "07".repeat(16) as Epoch, revision: 9 as Revision };
  return { ...(await encodeSnapshotBody(blocklist)), ...named, digest, listings, approved: false };
}

function chunkIn(bytes: Uint8Array): SnapshotChunk {
  const { kind } = CoordinatorMessage.decode(bytes);
  assert.ok(kind?.$case === "snapshotChunk");
  return kind.value;
}

function expected({ list, key, size: listings, digest }: Blocklist) {
  return { list, key, listings, digest };
}

function filled(listings: readonly Listing[]): Blocklist {
  const blocklist = new Blocklist(listFixture, keyFixture);
  for (const listing of listings) blocklist.put(listing);
  return blocklist;
}

function sha256Of(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
