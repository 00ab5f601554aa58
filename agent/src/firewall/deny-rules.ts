/** The rules over the sets, whole: one a deny list and one for local sightings, each past all that is exempt and own. */
import type { List } from "@fleetban/proto/model/listing";
import type { DenyRule, Verdict } from "./backend.ts";
import { LOCAL_SETS, OWN_SETS, type SetPair } from "./set-names.ts";
import type { KernelPair } from "./set-registry.ts";

interface ListInForce {
  readonly list: List;
  readonly pair: KernelPair;
}

export function denyRules(inForce: readonly ListInForce[], verdict: Verdict): readonly DenyRule[] {
  const sorted = inForce.toSorted((a, b) => a.list.list - b.list.list);
  const exempting = sorted.filter(({ list }) => list.effect === "exempt");
  const except = [...exempting.map(({ pair }) => namesOf(pair)), OWN_SETS];
  const denying = sorted.filter(({ list }) => list.effect === "deny");
  const rules = denying.map(({ list, pair }) => ({ deny: namesOf(pair), except, reach: list.reach, verdict }));
  return [...rules, { deny: LOCAL_SETS, except, reach: { kind: "all-traffic" }, verdict }];
}

function namesOf(pair: KernelPair): SetPair {
  return { 4: pair[4].name, 6: pair[6].name };
}
