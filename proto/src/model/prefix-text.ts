/** The canonical text of a prefix: RFC 5952 for IPv6, no length on a single address. */
import { maxLength, type PrefixWords } from "./prefix-words.ts";

export function textOfWords({ family, length, a, b, c, d }: Readonly<PrefixWords>): string {
  const address = family === 4 ? textOfV4(a) : textOfV6(a, b, c, d);
  return length === maxLength(family) ? address : `${address}/${length}`;
}

function textOfV4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

function textOfV6(a: number, b: number, c: number, d: number): string {
  const parts = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff, c >>> 16, c & 0xffff, d >>> 16, d & 0xffff];
  const zeros = longestZeros(parts);
  if (zeros.times < 2) return hexOf(parts);
  return `${hexOf(parts.slice(0, zeros.from))}::${hexOf(parts.slice(zeros.from + zeros.times))}`;
}

function hexOf(parts: readonly number[]): string {
  let text = "";
  for (const part of parts) text += text === "" ? part.toString(16) : `:${part.toString(16)}`;
  return text;
}

/** The first of the longest runs of zero groups. */
function longestZeros(parts: readonly number[]): { from: number; times: number } {
  let best = { from: 0, times: 0 };
  for (let from = 0; from < 8; from += 1) {
    let times = 0;
    while (parts[from + times] === 0) times += 1;
    if (times > best.times) best = { from, times };
    from += times;
  }
  return best;
}
