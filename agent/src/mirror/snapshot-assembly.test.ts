import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@fleetban/kit/random";
import type { Revision } from "@fleetban/proto/model/listing";
import { prefixFromBytes } from "@fleetban/proto/model/prefix";
import { CHUNK_BYTES, decodeSnapshotBody, encodeSnapshotBody, type ReceivedChunk } from "@fleetban/proto/wire/snapshot";
import { EPOCH, FLEET, heldFixture, KEY, listing } from "./mirror.fixture.ts";
import { type Assembly, createSnapshotAssembly } from "./snapshot-assembly.ts";

test("chunks in order become the list", async () => {
  const { chunks, digest } = await chunksFixture();
  const assembly = createSnapshotAssembly(decodeSnapshotBody);
  const outcomes = [];
  for (const chunk of chunks) outcomes.push(await assembly.add(chunk, KEY));
  assert.deepEqual(
    outcomes.slice(0, -1).map(({ kind }) => kind),
    Array(chunks.length - 1).fill("more"),
  );
  const last = outcomes.at(-1)!;
  assert.equal(last.kind === "complete" && last.snapshot.blocklist.digest, digest);
  assert.equal(assembly.partial(FLEET.list), undefined);
});

test("a snapshot that broke off resumes at its chunk; a repeated chunk is taken once", async () => {
  const { chunks } = await chunksFixture();
  const assembly = createSnapshotAssembly(decodeSnapshotBody);
  await assembly.add(chunks[0]!, KEY);
  await assembly.add(chunks[0]!, KEY);
  const partial = assembly.partial(FLEET.list)!;
  assert.deepEqual([partial.revision, partial.chunks], [7, 1]);
  for (const chunk of chunks.slice(1, -1)) await assembly.add(chunk, KEY);
  assert.equal((await assembly.add(chunks.at(-1)!, KEY)).kind, "complete");
});

test("a gap, and a body with a damaged byte, are asked for again", async () => {
  const { chunks } = await chunksFixture();
  const assembly = createSnapshotAssembly(decodeSnapshotBody);
  assert.equal((await assembly.add(chunks[1]!, KEY)).kind, "differs");
  await assembly.add(chunks[0]!, KEY);
  assert.equal((await assembly.add(chunks[2]!, KEY)).kind, "differs");
  const damaged = { ...chunks[1]!, body: Buffer.from(chunks[1]!.body) };
  damaged.body[5]! ^= 1;
  await assembly.add(damaged, KEY);
  let outcome = await assembly.add(chunks[2]!, KEY);
  for (const chunk of chunks.slice(3)) outcome = await assembly.add(chunk, KEY);
  assert.equal(outcome.kind, "differs");
  assert.equal(assembly.partial(FLEET.list), undefined);
});

test("a snapshot whose listings are not those that the ledger summed is refused by name", async () => {
  const { chunks } = await chunksFixture();
  const assembly = createSnapshotAssembly(decodeSnapshotBody);
  let outcome: Assembly | undefined;
  for (const chunk of chunks) outcome = await assembly.add({ ...chunk, columnsSha256: Buffer.alloc(32) }, KEY);
  assert.equal(outcome?.kind === "differs" && outcome.code, "snapshot-columns-differ");
  assert.equal(assembly.partial(FLEET.list), undefined);
});

/** Random addresses, because sorted columns of neighbors pack into one chunk. */
async function chunksFixture(): Promise<{ chunks: ReceivedChunk[]; digest: bigint }> {
  const random = seededRandom(1);
  const prefixes = new Set(Array.from({ length: 60_000 }, () => prefixFromBytes(random.bytes(4))));
  const { blocklist } = heldFixture(
    FLEET.list,
    Array.from(prefixes, (prefix) => listing(prefix)),
  );
  const { body, sha256, columnsSha256 } = await encodeSnapshotBody(blocklist);
  const { digest, size: listings } = blocklist;
  const chunkCount = Math.ceil(body.length / CHUNK_BYTES);
  assert.ok(chunkCount > 2, `${chunkCount} chunks`);
  const whole = { list: FLEET.list, epoch: EPOCH, revision: 7 as Revision, chunks: chunkCount, bodyBytes: body.length };
  const chunks = Array.from({ length: chunkCount }, (_, chunk) => {
    const part = body.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
    return { ...whole, sha256, columnsSha256, digest, listings, approved: false, chunk, body: part };
  });
  return { chunks, digest };
}
