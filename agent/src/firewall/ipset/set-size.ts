/** How large a set's hash table is made: presized, because growing waits for the kernel (4 times the time at 10,000). */

const SMALLEST = 64; // the kernel's own least
/** 2^22 buckets are 32 MB of pointers and enough for 8 million entries. */
const LARGEST = 4_194_304;

/** The power of two that is at least half of the entries. */
export function hashSizeFor(maxEntries: number): number {
  let size = SMALLEST;
  while (size < maxEntries / 2 && size < LARGEST) size *= 2;
  return size;
}
