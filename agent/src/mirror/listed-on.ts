/** Which of the fleet's deny lists an address stands on, by itself or inside a wider listing. */
import { lengthOf, type Prefix, widen } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import type { Mirror } from "./mirror.ts";

export function listedOn(mirror: Pick<Mirror, "lists">, address: Prefix, now: UnixSeconds): readonly string[] {
  const around = Array.from({ length: lengthOf(address) + 1 }, (_, length) => widen(address, length));
  const holding = mirror.lists().filter(({ list, held }) => {
    if (list.effect !== "deny" || held === undefined) return false;
    const listings = around.map((prefix) => held.blocklist.get(prefix)).filter((listing) => listing !== undefined);
    return listings.some(({ until }) => !isExpired(until, now));
  });
  return holding.map(({ list }) => list.name);
}
