import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { sipHash128 } from "./siphash.ts";

const MASK = (1n << 64n) - 1n;

test("the hashes of the authors' 64 test messages are theirs", () => {
  const key = counting(16);
  const hashes = Array.from({ length: 64 }, (_, length) => sipHash128(key, counting(length)));
  assert.equal(Buffer.from(hashes[0] ?? []).toString("hex"), "a3817f04ba25a8e66df67214c7550293");
  // SHA-256 of vectors_sip128 (vectors.h of the reference), its 64 rows one after the other
  const table = createHash("sha256").update(Buffer.concat(hashes)).digest("hex");
  assert.equal(table, "ecfaa9fe47ff788fa834a9863ea2715a2880cd37d2b8c3c194402838428119b9");
});

test("any key and any message hash as in a plain implementation over 64-bit integers", () => {
  const key = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(key, fc.uint8Array({ maxLength: 300 }), (keyBytes, message) => {
      assert.deepEqual(sipHash128(keyBytes, message), plainSipHash(keyBytes, message));
    }),
  );
});

function counting(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index);
}

/** As the paper writes it, slowly. */
function plainSipHash(key: Uint8Array, message: Uint8Array): Uint8Array {
  const k0 = littleEndian(key.subarray(0, 8));
  const k1 = littleEndian(key.subarray(8));
  const v = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn ^ 0xeen,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const padded = new Uint8Array(8 * (Math.floor(message.length / 8) + 1));
  padded.set(message);
  padded[padded.length - 1] = message.length & 255;
  for (let at = 0; at < padded.length; at += 8) {
    const block = littleEndian(padded.subarray(at, at + 8));
    v[3]! ^= block;
    sipRounds(v, 2);
    v[0]! ^= block;
  }
  v[2]! ^= 0xeen;
  sipRounds(v, 4);
  const first = v[0]! ^ v[1]! ^ v[2]! ^ v[3]!;
  v[1]! ^= 0xddn;
  sipRounds(v, 4);
  const second = v[0]! ^ v[1]! ^ v[2]! ^ v[3]!;
  const hash = Buffer.alloc(16);
  hash.writeBigUInt64LE(first, 0);
  hash.writeBigUInt64LE(second, 8);
  return Uint8Array.from(hash);
}

function sipRounds(v: bigint[], times: number): void {
  for (let round = 0; round < times; round += 1) {
    half(0, 1, 13n, 32n);
    half(2, 3, 16n, 0n);
    half(0, 3, 21n, 0n);
    half(2, 1, 17n, 32n);
  }
  function half(sum: number, turned: number, turn: bigint, sumTurn: bigint): void {
    v[sum] = (v[sum]! + v[turned]!) & MASK;
    v[turned] = rotated(v[turned]!, turn) ^ v[sum]!;
    v[sum] = rotated(v[sum]!, sumTurn);
  }
}

function rotated(value: bigint, by: bigint): bigint {
  return ((value << by) | (value >> (64n - by))) & MASK;
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
