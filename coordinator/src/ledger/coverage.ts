/** What listings cover: IPv4 addresses and IPv6 networks of 64 bits, each listing for one at least. Exact, for the database. */
import type { Listing } from "@fleetban/proto/model/listing";
import { type Family, familyOf, lengthOf } from "@fleetban/proto/model/prefix";

export type Covered = Readonly<Record<Family, bigint>>;

export function coverageOf(listings: Iterable<Pick<Listing, "prefix">>): Covered {
  const covered = { 4: 0n, 6: 0n };
  for (const { prefix } of listings) {
    const family = familyOf(prefix);
    const whole = family === 6 ? 64 : 32;
    covered[family] += 1n << BigInt(Math.max(0, whole - lengthOf(prefix)));
  }
  return covered;
}

export function coveredMore(after: Covered, before: Covered): Covered {
  return { 4: after[4] - before[4], 6: after[6] - before[6] };
}
