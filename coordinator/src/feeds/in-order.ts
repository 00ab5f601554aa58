/**
 * Prefixes in about the order in which the database keeps them, so that rows written one after the other lie side by side:
 * inserting 100,000 scattered ones takes Postgres twice as long. Only speed rests on it.
 */
import { type Prefix, partsOf } from "@fleetban/proto/model/prefix";

export function inOrder<Item>(items: readonly Item[], prefixOf: (item: Item) => Prefix): Item[] {
  const keys = new Float64Array(items.length);
  for (const [at, item] of items.entries()) keys[at] = keyOf(prefixOf(item));
  const order = new Uint32Array(items.length).map((_, at) => at);
  order.sort((one, other) => (keys[one] ?? 0) - (keys[other] ?? 0));
  return Array.from(order, (at) => items[at] as Item);
}

/** IPv4 before IPv6; of IPv6 the first 52 bits. */
function keyOf(prefix: Prefix): number {
  const { family, a, b } = partsOf(prefix);
  return family === 4 ? a - 2 ** 32 : a * 2 ** 20 + (b >>> 12);
}
