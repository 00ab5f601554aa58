/** Randomness as a part that is handed in: the system's in the programs, one from a seed in tests. */

export interface Random {
  bytes(count: number): Uint8Array;
  /** At least 0, below 1. */
  unit(): number;
}

/** The same numbers for the same seed, for tests and simulations; never for keys or tokens. */
export function seededRandom(seed: number): Random {
  const next = sfc32(seed);
  return {
    bytes: (count) => Uint8Array.from({ length: count }, () => next() >>> 24),
    unit: () => next() / 4_294_967_296,
  };
}

/** sfc32 by Chris Doty-Humphrey (PractRand): small, fast, passes its own author's tests. Gives uint32. */
function sfc32(seed: number): () => number {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, seed | 0, 1];
  function next(): number {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
  for (let warmUp = 0; warmUp < 16; warmUp += 1) next();
  return next;
}
