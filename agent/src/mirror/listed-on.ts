/** Which of the fleet's deny lists an address stands on, by itself or inside a wider listing. */
import { lengthOf, type Prefix, widen } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import type { Mirror } from "./mirror.ts";

/** It is denied, and nothing exempts it. */
export function isCutOff(mirror: Pick<Mirror, "lists">, address: Prefix, now: UnixSeconds): boolean {
  return holding(mirror, "deny", address, now).length > 0 && holding(mirror, "exempt", address, now).length === 0;
}

export function listedOn(mirror: Pick<Mirror, "lists">, address: Prefix, now: UnixSeconds): readonly string[] {
  return holding(mirror, "deny", address, now).map(({ list }) => list.name);
}

function holding(mirror: Pick<Mirror, "lists">, effect: "deny" | "exempt", address: Prefix, now: UnixSeconds) {
  const around = Array.from({ length: lengthOf(address) + 1 }, (_, length) => widen(address, length));
  return mirror.lists().filter(({ list, held }) => {
    if (list.effect !== effect || held === undefined) return false;
    const listings = around.map((prefix) => held.blocklist.get(prefix)).filter((listing) => listing !== undefined);
    return listings.some(({ until }) => !isExpired(until, now));
  });
}
