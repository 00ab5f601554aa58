/** `192.0.2.3` to `192.0.2.9` as networks: the fewest that cover exactly the range. */
import { bytesOf, type Family, familyOf, isSingle, type Prefix, prefixFromBytes } from "@fleetban/proto/model/prefix";

const BITS: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

/** Undefined when they are not two single addresses of one family, or the wrong way round. */
export function prefixesBetween(first: Prefix, last: Prefix): Prefix[] | undefined {
  const family = familyOf(first);
  if (!isSingle(first) || !isSingle(last) || familyOf(last) !== family) return undefined;
  const end = numberOf(last);
  let at = numberOf(first);
  if (at > end) return undefined;
  const prefixes: Prefix[] = [];
  while (at <= end) {
    const size = largestBlock(at, end, BITS[family]);
    prefixes.push(prefixFromBytes(bytesFrom(at, BITS[family] / 8), BITS[family] - size));
    at += 1n << BigInt(size);
  }
  return prefixes;
}

/** Bits of the largest network that begins there and does not reach beyond the end. */
function largestBlock(at: bigint, end: bigint, bits: number): number {
  let size = 0;
  while (size < bits && (at >> BigInt(size)) % 2n === 0n && at + (2n << BigInt(size)) - 1n <= end) size += 1;
  return size;
}

function numberOf(prefix: Prefix): bigint {
  return BigInt(`0x${Buffer.from(bytesOf(prefix)).toString("hex")}`);
}

function bytesFrom(number: bigint, count: number): Uint8Array {
  return Buffer.from(number.toString(16).padStart(count * 2, "0"), "hex");
}
