/** Lists on the wire. What isn't understood becomes "unknown", which is mirrored and never enforced (PROTOCOL §1.10). */
import type { List, PortRange, Reach } from "../model/listing.ts";
import { listField, wordOf } from "./fields.ts";
import { Effect, type List as ListMessage } from "./gen/fleetban/v1/fleet.ts";

const EFFECTS = { deny: Effect.EFFECT_DENY, exempt: Effect.EFFECT_EXEMPT } as const;

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?$/; // it becomes part of names in the kernel
const MAX_PORT = 65_535;

export function listToWire(list: List): ListMessage {
  return {
    list: list.list,
    name: list.name,
    effect: list.effect === "unknown" ? Effect.EFFECT_UNSPECIFIED : EFFECTS[list.effect],
    reach: reachToWire(list.reach),
    leaseSeconds: list.leaseSeconds,
    requires: [...list.requires],
    documentationOnly: list.documentationOnly,
  };
}

export function listFromWire(message: ListMessage): List {
  const effect = NAME.test(message.name) ? wordOf(EFFECTS, message.effect) : undefined;
  return {
    list: listField("list", message.list),
    name: message.name,
    effect: effect ?? "unknown",
    reach: reachFromWire(message.reach),
    leaseSeconds: message.leaseSeconds,
    requires: message.requires,
    documentationOnly: message.documentationOnly,
  };
}

function reachToWire(reach: Reach): ListMessage["reach"] {
  if (reach.kind === "all-traffic") return { $case: "allTraffic", value: {} };
  if (reach.kind === "unknown") return undefined;
  return { $case: "ports", value: { protocol: reach.protocol, ranges: reach.ranges.map((range) => ({ ...range })) } };
}

function reachFromWire(reach: ListMessage["reach"]): Reach {
  if (reach?.$case === "allTraffic") return { kind: "all-traffic" };
  if (reach?.$case !== "ports" || !reach.value.ranges.every(isRange)) return { kind: "unknown" };
  return { kind: "ports", protocol: reach.value.protocol, ranges: reach.value.ranges };
}

function isRange({ first, last }: PortRange): boolean {
  return first <= last && last <= MAX_PORT;
}
