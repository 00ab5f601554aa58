/**
 * Where prefixes that somebody wants listed meet what must not be: never-ban packs, the allowlist, pardons, the fleet's own
 * addresses. Pure.
 *
 * A collision does no harm, because each of these is enforced as a hole in whatever is listed around it; but a list that
 * collides with many is a bad list, and an operator wants to know before it goes live.
 */
import { type Family, familyOf, lengthOf, type Prefix, partsOf, widen } from "@fleetban/proto/model/prefix";

export type CollisionKind = "own" | "pack" | "allowed" | "pardoned";

export interface Protection {
  readonly prefix: Prefix;
  readonly kind: CollisionKind;
  /** The pack's name, or whose address it is; empty where there is nothing more to say. */
  readonly name: string;
}

export interface Collision {
  /** What was to be listed. */
  readonly prefix: Prefix;
  readonly kind: CollisionKind;
  readonly name: string;
  /** What it meets: equal to it, around it, or one in it. */
  readonly by: Prefix;
}

/** What is met first is told: the strongest. */
const STRENGTH: readonly CollisionKind[] = ["own", "pack", "allowed", "pardoned"];
const EXAMPLES = 3;

/**
 * The collision of each that has one. By hash, a look-up a length that occurs, and only for what lies near something
 * protected: a list of 100,000 takes 50 ms.
 */
export function findCollisions(prefixes: Iterable<Prefix>, protections: readonly Protection[]): Collision[] {
  const strongest = [...protections].sort((a, b) => STRENGTH.indexOf(a.kind) - STRENGTH.indexOf(b.kind));
  const isNear = nearTest(protections);
  const wanted = [...prefixes].filter(isNear);
  const wantedLengths = lengthsOf(wanted);
  const around = byPrefix(strongest);
  const aroundLengths = lengthsOf(around.keys());
  const inside = new Map<Prefix, Protection>();
  for (const protection of strongest) {
    const { prefix } = protection;
    for (const length of wantedLengths[familyOf(prefix)]) {
      if (length >= lengthOf(prefix)) continue;
      const network = widen(prefix, length);
      if (!inside.has(network)) inside.set(network, protection);
    }
  }
  return wanted.flatMap((prefix) => {
    const met = coveredBy(prefix, around, aroundLengths) ?? inside.get(prefix);
    return met === undefined ? [] : [{ prefix, kind: met.kind, name: met.name, by: met.prefix }];
  });
}

/** `public-resolvers (2: 8.8.8.8, 9.9.9.9), googlebot (1: 66.249.66.1)`. */
export function collisionText(collisions: readonly Collision[]): string {
  const groups = Map.groupBy(collisions, ({ kind, name }) => (kind === "pack" ? name : kind));
  const parts = [...groups].map(([title, some]) => {
    const examples = some.slice(0, EXAMPLES).map(({ prefix }) => prefix);
    return `${title} (${some.length}: ${examples.join(", ")}${some.length > EXAMPLES ? ", …" : ""})`;
  });
  return parts.join(", ");
}

function coveredBy(
  prefix: Prefix,
  around: ReadonlyMap<Prefix, Protection>,
  lengths: Readonly<Record<Family, ReadonlySet<number>>>,
): Protection | undefined {
  const own = lengthOf(prefix);
  let met: Protection | undefined;
  for (const length of lengths[familyOf(prefix)]) {
    const found = length > own ? undefined : around.get(length === own ? prefix : widen(prefix, length));
    if (found === undefined) continue;
    if (met === undefined || STRENGTH.indexOf(found.kind) < STRENGTH.indexOf(met.kind)) met = found;
  }
  return met;
}

/** First bits that are looked at: 16 of IPv4, 32 of IPv6. */
const NEAR_BITS = { 4: 16, 6: 32 } as const;

/** False only for what can neither lie in nor around anything protected. */
function nearTest(protections: readonly Protection[]): (prefix: Prefix) => boolean {
  const near: Record<Family, Set<number>> = { 4: new Set(), 6: new Set() };
  for (const { prefix } of protections) {
    const { family, length, a } = partsOf(prefix);
    const bits = NEAR_BITS[family];
    const first = a >>> (32 - bits);
    for (let at = 0; at < 2 ** Math.max(0, bits - length); at += 1) near[family].add(first + at);
  }
  return (prefix) => {
    const { family, length, a } = partsOf(prefix);
    const bits = NEAR_BITS[family];
    return length < bits || near[family].has(a >>> (32 - bits));
  };
}

/** Of several for one prefix the strongest. */
function byPrefix(strongest: readonly Protection[]): Map<Prefix, Protection> {
  const map = new Map<Prefix, Protection>();
  for (const protection of strongest) if (!map.has(protection.prefix)) map.set(protection.prefix, protection);
  return map;
}

function lengthsOf(prefixes: Iterable<Prefix>): Record<Family, Set<number>> {
  const lengths: Record<Family, Set<number>> = { 4: new Set(), 6: new Set() };
  for (const prefix of prefixes) lengths[familyOf(prefix)].add(lengthOf(prefix));
  return lengths;
}
