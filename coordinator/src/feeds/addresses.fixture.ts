/** So many addresses, none of them next to another, all of them globally routable. */
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";

export function addressesOf(count: number, first = 0): Prefix[] {
  return Array.from({ length: count }, (_, index) => {
    const number = first + index;
    return parsePrefix(`45.${(number >> 12) & 255}.${(number >> 4) & 255}.${((number & 15) << 4) + 1}`);
  });
}
