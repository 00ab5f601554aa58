import assert from "node:assert/strict";
import { test } from "node:test";
import { lengthOf, type Prefix, parsePrefix, widen } from "@fleetban/proto/model/prefix";
import fc from "fast-check";
import { createTimedSet } from "./timed-set.ts";
import { decidedBy, type Roles, wantedRoute } from "./wanted-route.ts";

/** All addresses of 45.33.0.0/28: few, so that prefixes meet. */
const ADDRESSES = Array.from({ length: 16 }, (_, last) => parsePrefix(`45.33.0.${last}`));
const anyPrefix = fc.tuple(fc.nat(15), fc.integer({ min: 26, max: 32 })).map(([last, length]) => {
  return widen(ADDRESSES[last]!, length);
});
const prefixes = fc.array(anyPrefix, { maxLength: 8 });

test("the longest route decides as the definition does: in a deny set and in no except set", () => {
  fc.assert(
    fc.property(prefixes, prefixes, (denied, exempt) => {
      const roles = rolesOf(denied, exempt);
      const all = new Set([...denied, ...exempt]);
      const routes = new Map([...all].map((prefix) => [prefix, wantedRoute(roles, prefix)]));
      for (const address of ADDRESSES) {
        const isDenied = has(denied, address) && !has(exempt, address);
        assert.equal(longest(routes, address) === "blackhole", isDenied, address);
      }
    }),
  );
});

test("a prefix that becomes exempt, or no longer is, changes no routes but those it decides", () => {
  fc.assert(
    fc.property(prefixes, prefixes, anyPrefix, (denied, exempt, changed) => {
      const before = rolesOf(denied, exempt);
      const after = rolesOf(denied, [...exempt, changed]);
      const decided = new Set(decidedBy(after, changed));
      for (const prefix of [...denied, ...exempt]) {
        if (decided.has(prefix)) continue;
        assert.deepEqual(wantedRoute(before, prefix), wantedRoute(after, prefix), prefix);
      }
    }),
  );
});

test("a prefix that several sets hold has the origin and the end of the one that holds it longest", () => {
  const prefix = parsePrefix("45.33.0.1");
  const sets = [500, 900, 700].map((end, index) => ({ tag: 132 + index, set: setOf([prefix], end) }));
  assert.deepEqual(wantedRoute({ deny: sets, except: [] }, prefix), { kind: "blackhole", tag: 133, end: 900 });
  const endless = [...sets, { tag: 140, set: setOf([prefix], 0) }];
  assert.deepEqual(wantedRoute({ deny: endless, except: [] }, prefix), { kind: "blackhole", tag: 140, end: 0 });
});

function rolesOf(denied: readonly Prefix[], exempt: readonly Prefix[]): Roles {
  return { deny: [{ tag: 136, set: setOf(denied, 900) }], except: [{ tag: 135, set: setOf(exempt, 900) }] };
}

function setOf(members: readonly Prefix[], end: number) {
  const set = createTimedSet(4, 100);
  for (const prefix of members) set.put(prefix, end);
  return set;
}

function has(members: readonly Prefix[], address: Prefix): boolean {
  return members.some((prefix) => widen(address, lengthOf(prefix)) === prefix);
}

function longest(routes: ReadonlyMap<Prefix, { kind: string } | undefined>, address: Prefix): string | undefined {
  for (let length = 32; length > 0; length -= 1) {
    const route = routes.get(widen(address, length));
    if (route !== undefined) return route.kind;
  }
  return undefined;
}
