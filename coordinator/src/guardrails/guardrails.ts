/** Where the guardrails stand, as one typed record of the policy in force. */
import type { ConfigOf } from "@fleetban/kit/config";
import type { GUARDRAIL_TABLE } from "./guardrail-table.ts";

export interface Guardrails {
  /** A feed's list shorter than this may shrink and grow as it likes. */
  readonly judgedFrom: number;
  /** Part of the list before below which a feed's list is held. */
  readonly shrinkTo: number;
  /** Times the list before above which a feed's list is held. */
  readonly growTo: number;
  /** A feed's new network shorter than this is held. */
  readonly widest: { readonly 4: number; readonly 6: number };
  /** More new collisions than this hold a feed's list; a first list is held with any. */
  readonly collisions: number;
  /** Part of the public addresses, 0 to 1, that a deny list may cover. */
  readonly ceiling: { readonly 4: number; readonly 6: number };
  /** Part of its listings in force below which no deny list falls at once. */
  readonly floor: number;
  /** Fewer removals than this are never held. */
  readonly floorFrom: number;
}

/** What stands in the policy file's own record under the keys of this room. */
export type GuardrailSettings = ConfigOf<typeof GUARDRAIL_TABLE>;

export const DEFAULT_GUARDRAILS: Guardrails = {
  judgedFrom: 20,
  shrinkTo: 0.5,
  growTo: 2,
  widest: { 4: 16, 6: 32 },
  collisions: 10,
  ceiling: { 4: 0.02, 6: 0.000_05 },
  floor: 0.5,
  floorFrom: 100,
};

export function guardrailsOf(settings: Omit<GuardrailSettings, "packs">): Guardrails {
  return {
    judgedFrom: settings["guardrails.judged_from"],
    shrinkTo: settings["guardrails.shrink_to"],
    growTo: settings["guardrails.grow_to"],
    widest: { 4: settings["guardrails.widest_v4"], 6: settings["guardrails.widest_v6"] },
    collisions: settings["guardrails.collisions"],
    ceiling: { 4: settings["guardrails.ceiling_v4"] / 100, 6: settings["guardrails.ceiling_v6"] / 100 },
    floor: settings["guardrails.floor"],
    floorFrom: settings["guardrails.floor_from"],
  };
}
