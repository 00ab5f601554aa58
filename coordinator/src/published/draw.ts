/** A number below 2^32 that looks drawn, the same for the same prefix always. Nothing secret rests on it. */
import type { PrefixWords } from "@fleetban/proto/model/prefix-words";

export function drawOf({ family, length, a, b, c, d }: Readonly<PrefixWords>): number {
  let state = mixed(family * 256 + length);
  state = mixed(state ^ a);
  if (family === 4) return state;
  state = mixed(state ^ b);
  state = mixed(state ^ c);
  return mixed(state ^ d);
}

/** The finalizer of MurmurHash3. */
function mixed(value: number): number {
  let state = value | 0;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
