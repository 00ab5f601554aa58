/**
 * How much of the internet prefixes cover: IPv4 addresses, and IPv6 networks of 64 bits. Pure.
 *
 * Each prefix counts for itself, overlapping ones twice: a guardrail may stop a little early, never late.
 */
import { type Family, familyOf, lengthOf, type Prefix } from "@fleetban/proto/model/prefix";

export type Cover = Readonly<Record<Family, number>>;

export const NOTHING_COVERED: Cover = { 4: 0, 6: 0 };

/** All that is globally reachable: IPv4 without the special-purpose ranges, and 2000::/3. */
export const PUBLIC_COVER: Cover = { 4: 3_702_258_432, 6: 2 ** 61 };

/** An IPv6 prefix longer than 64 bits counts as one network. */
const WHOLE = { 4: 32, 6: 64 } as const;

export function coverOf(prefixes: Iterable<Prefix>): Cover {
  const cover = { 4: 0, 6: 0 };
  for (const prefix of prefixes) {
    const family = familyOf(prefix);
    cover[family] += 2 ** Math.max(0, WHOLE[family] - lengthOf(prefix));
  }
  return cover;
}

export function addCover(one: Cover, other: Cover): Cover {
  return { 4: one[4] + other[4], 6: one[6] + other[6] };
}

export function subtractCover(one: Cover, other: Cover): Cover {
  return { 4: one[4] - other[4], 6: one[6] - other[6] };
}

/** `2.1 % of the public IPv4 addresses`. */
export function shareText(cover: number, family: Family): string {
  const percent = (100 * cover) / PUBLIC_COVER[family];
  const rounded = percent >= 0.1 ? percent.toFixed(1) : percent.toPrecision(1);
  return `${rounded} % of the public ${family === 4 ? "IPv4 addresses" : "IPv6 networks"}`;
}

/** Families whose cover is above the ceiling and grew. */
export function aboveCeiling(before: Cover, after: Cover, ceiling: Cover): Family[] {
  const families: readonly Family[] = [4, 6];
  return families.filter((family) => {
    return after[family] > ceiling[family] * PUBLIC_COVER[family] && after[family] > before[family];
  });
}
