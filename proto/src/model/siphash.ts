/**
 * SipHash-2-4 with 128 bits of result, after the authors' reference (Aumasson, Bernstein, github.com/veorq/SipHash).
 *
 * Written for speed in 32-bit halves: `l` low, `h` high word of v0 to v3. Mutates `result`, allocates nothing.
 */

const MAX_SHORT_BYTES = 255; // the length's low byte is part of the last block

/**
 * Hashes `byteLength` bytes of `message` (little-endian words, zero from there to the end of the last block of 8)
 * into `result`: four words, the least significant first.
 */
export function sipHashWords(key: Uint32Array, message: Uint32Array, byteLength: number, result: Uint32Array): void {
  const [k0l = 0, k0h = 0, k1l = 0, k1h = 0] = key;
  let l0 = k0l ^ 0x70736575;
  let h0 = k0h ^ 0x736f6d65;
  let l1 = k1l ^ 0x6e646f6d ^ 0xee; // 0xee: the variant of 128 bits
  let h1 = k1h ^ 0x646f7261;
  let l2 = k0l ^ 0x6e657261;
  let h2 = k0h ^ 0x6c796765;
  let l3 = k1l ^ 0x79746573;
  let h3 = k1h ^ 0x74656462;

  const lastBlock = byteLength >>> 3;
  const compression = 2 * (lastBlock + 1); // rounds: two a block, then four for each half of the result
  let blockLow = 0;
  let blockHigh = 0;
  for (let round = 0; round < compression + 8; round += 1) {
    if (round < compression) {
      if ((round & 1) === 0) {
        blockLow = message[round] ?? 0;
        blockHigh = message[round + 1] ?? 0;
        if (round === lastBlock * 2) blockHigh |= (byteLength & MAX_SHORT_BYTES) << 24;
        l3 ^= blockLow;
        h3 ^= blockHigh;
      }
    } else if (round === compression) {
      l2 ^= 0xee;
    } else if (round === compression + 4) {
      result[0] = l0 ^ l1 ^ l2 ^ l3;
      result[1] = h0 ^ h1 ^ h2 ^ h3;
      l1 ^= 0xdd;
    }

    // Each 64-bit addition: low words, then high words and the carry out of the low ones.
    let sum = (l0 + l1) | 0;
    h0 = (h0 + h1 + (((l0 & l1) | ((l0 | l1) & ~sum)) >>> 31)) | 0;
    l0 = sum;
    let turn = (l1 << 13) | (h1 >>> 19);
    h1 = ((h1 << 13) | (l1 >>> 19)) ^ h0;
    l1 = turn ^ l0;
    turn = l0; // rotation by 32 is a swap
    l0 = h0;
    h0 = turn;

    sum = (l2 + l3) | 0;
    h2 = (h2 + h3 + (((l2 & l3) | ((l2 | l3) & ~sum)) >>> 31)) | 0;
    l2 = sum;
    turn = (l3 << 16) | (h3 >>> 16);
    h3 = ((h3 << 16) | (l3 >>> 16)) ^ h2;
    l3 = turn ^ l2;

    sum = (l0 + l3) | 0;
    h0 = (h0 + h3 + (((l0 & l3) | ((l0 | l3) & ~sum)) >>> 31)) | 0;
    l0 = sum;
    turn = (l3 << 21) | (h3 >>> 11);
    h3 = ((h3 << 21) | (l3 >>> 11)) ^ h0;
    l3 = turn ^ l0;

    sum = (l2 + l1) | 0;
    h2 = (h2 + h1 + (((l2 & l1) | ((l2 | l1) & ~sum)) >>> 31)) | 0;
    l2 = sum;
    turn = (l1 << 17) | (h1 >>> 15);
    h1 = ((h1 << 17) | (l1 >>> 15)) ^ h2;
    l1 = turn ^ l2;
    turn = l2;
    l2 = h2;
    h2 = turn;

    if (round < compression && (round & 1) === 1) {
      l0 ^= blockLow;
      h0 ^= blockHigh;
    }
  }
  result[2] = l0 ^ l1 ^ l2 ^ l3;
  result[3] = h0 ^ h1 ^ h2 ^ h3;
}

/** The same over any bytes; gives 16 bytes in the reference's order. */
export function sipHash128(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const message = new Uint32Array(2 * ((bytes.length >>> 3) + 1));
  for (const [at, byte] of bytes.entries()) message[at >>> 2] = (message[at >>> 2] ?? 0) | (byte << ((at & 3) * 8));
  const result = new Uint32Array(4);
  sipHashWords(keyWords(key), message, bytes.length, result);
  const hash = new Uint8Array(16);
  const view = new DataView(hash.buffer);
  for (const [word, value] of result.entries()) view.setUint32(word * 4, value, true);
  return hash;
}

/** A key of 16 bytes as the words that `sipHashWords` takes. */
export function keyWords(key: Uint8Array): Uint32Array {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return Uint32Array.from([0, 4, 8, 12], (at) => view.getUint32(at, true));
}
