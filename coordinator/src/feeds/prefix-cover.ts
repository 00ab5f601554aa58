/** A set of prefixes that answers by hash what lies around or inside a prefix; a widening a length that occurs, no tree. */
import { type Family, familyOf, lengthOf, type Prefix, widen } from "@fleetban/proto/model/prefix";

export interface PrefixCover {
  /** Some prefix of the set is this one or lies around it. */
  isCovered(prefix: Prefix): boolean;
  /** Some prefix of the set is this one, or lies around or inside it. */
  isTouched(prefix: Prefix): boolean;
}

/** `inside` are the lengths for which `isTouched` may be asked. */
export function createPrefixCover(
  prefixes: Iterable<Prefix>,
  inside: readonly { family: Family; length: number }[],
): PrefixCover {
  const members = new Set<Prefix>();
  const around = new Set<Prefix>();
  const lengths: Record<Family, Set<number>> = { 4: new Set(), 6: new Set() };
  for (const prefix of prefixes) {
    members.add(prefix);
    const family = familyOf(prefix);
    lengths[family].add(lengthOf(prefix));
    for (const asked of inside) if (asked.family === family) around.add(widen(prefix, asked.length));
  }
  const isCovered = (prefix: Prefix) => {
    const length = lengthOf(prefix);
    for (const wider of lengths[familyOf(prefix)]) {
      if (wider <= length && members.has(widen(prefix, wider))) return true;
    }
    return false;
  };
  return { isCovered, isTouched: (prefix) => around.has(prefix) || isCovered(prefix) };
}
