/** What listings cover: IPv4 addresses and IPv6 networks of 64 bits, each listing for one at least. */
import type { Listing } from "@fleetban/proto/model/listing";
import { familyOf, lengthOf } from "@fleetban/proto/model/prefix";

export function coverageOf(listings: Iterable<Pick<Listing, "prefix">>): bigint {
  let covered = 0n;
  for (const { prefix } of listings) {
    const whole = familyOf(prefix) === 6 ? 64 : 32;
    covered += 1n << BigInt(Math.max(0, whole - lengthOf(prefix)));
  }
  return covered;
}
