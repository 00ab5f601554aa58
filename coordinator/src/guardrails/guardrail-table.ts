/** The policy file's keys of this room: which packs are never listed, and where the guardrails stand. */
import type { ConfigTable } from "@fleetban/kit/config";

export const GUARDRAIL_TABLE = {
  packs: {
    kind: "texts",
    default: [],
    description: "Never-ban packs in force, by name; `fleetban packs list` shows those that there are",
    check: (text) =>
      /^[a-z0-9][a-z0-9-]{0,39}$/.test(text) ? undefined : "must be a pack's name; see: fleetban packs list",
  },
  "guardrails.judged_from": {
    kind: "number",
    default: 20,
    min: 1,
    max: 10_000,
    unit: "entries",
    description: "A feed's list shorter than this may shrink and grow as it likes; emptied it is held all the same",
  },
  "guardrails.shrink_to": {
    kind: "number",
    default: 0.5,
    min: 0,
    max: 1,
    isFraction: true,
    description: "A feed's list that is shorter than this part of the one before is held; 0 = never",
  },
  "guardrails.grow_to": {
    kind: "number",
    default: 2,
    min: 1,
    max: 1_000,
    isFraction: true,
    description: "A feed's list that is so many times as long as the one before is held",
  },
  "guardrails.widest_v4": {
    kind: "number",
    default: 16,
    min: 8,
    max: 32,
    description: "A feed's list with a new IPv4 network shorter than this is held; shorter than /8 is never listed",
  },
  "guardrails.widest_v6": {
    kind: "number",
    default: 32,
    min: 19,
    max: 64,
    description: "The same of IPv6 networks; shorter than /19 is never listed",
  },
  "guardrails.collisions": {
    kind: "number",
    default: 10,
    min: 0,
    max: 1_000_000,
    description:
      "A feed's list with more new entries than this that are allowed, in a pack or the fleet's own is held; its first list with any",
  },
  "guardrails.ceiling_v4": {
    kind: "number",
    default: 2,
    min: 0.0001,
    max: 100,
    isFraction: true,
    unit: "percent",
    description: "No deny list may cover more of the public IPv4 addresses than this without an operator's word",
  },
  "guardrails.ceiling_v6": {
    kind: "number",
    default: 0.005,
    min: 0.000_001,
    max: 100,
    isFraction: true,
    unit: "percent",
    description: "The same of public IPv6 networks; 0.005 is 26,843 networks of 32 bits",
  },
  "guardrails.floor": {
    kind: "number",
    default: 0.5,
    min: 0,
    max: 1,
    isFraction: true,
    description:
      "No deny list falls below this part of its listings in force at once without an operator's word, whatever the cause; what has expired is not counted. 0 = no floor",
  },
  "guardrails.floor_from": {
    kind: "number",
    default: 100,
    min: 1,
    max: 1_000_000,
    unit: "listings",
    description: "Fewer removals than this are never held",
  },
} as const satisfies ConfigTable;
