/** Which lists this agent understands well enough to enforce; the others are mirrored and reported (PROTOCOL rule 10). */
import type { List } from "@fleetban/proto/model/listing";
import type { Backend } from "./backend.ts";
import { isEnforceable } from "./ipset/rule-text.ts";

/** As told in Hello: 1 = exempt lists, 2 = reach by ports. */
export const FEATURES: readonly number[] = [1, 2];

export function isSupported({ effect, reach, requires }: List, backend: Pick<Backend, "enforces"> = {}): boolean {
  if (effect === "deny" && backend.enforces?.(reach) === false) return false;
  return effect !== "unknown" && isEnforceable(reach) && requires.every((feature) => FEATURES.includes(feature));
}
