/**
 * The rules that send lookups through our table, as rtnetlink has them (`ip rule`).
 *
 * What this machine sends from a port of the range for its own connections is left out: they go on to listed addresses, as
 * with any backend. A lookup before a port is chosen has port 0, which no rule names. So TCP is named by the ports below and
 * above the range, all else as "not TCP".
 */
import type { Family } from "@fleetban/proto/model/prefix";
import { attributesIn, MESSAGE_HEADER_BYTES, type Message } from "../ipset/attributes.ts";
import {
  FAMILY_NUMBER,
  FIRST_PREFERENCE,
  FLAG,
  MESSAGE,
  RULE,
  RULE_ACTION_TABLE,
  RULE_INVERTED,
  TABLE,
  TCP,
} from "./protocol.ts";
import { putNumber, request } from "./route-message.ts";

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface PolicyRule {
  readonly preference: number;
  readonly match:
    | { readonly kind: "everything" }
    | { readonly kind: "not-tcp" }
    | { readonly kind: "tcp-from"; readonly ports: PortRange };
}

/** The kernel takes no range that ends with it. */
const LAST_PORT = 65_534;
const BODY_BYTES = 12;

/** `own` = net.ipv4.ip_local_port_range, for both families. */
export function policyRules(own: PortRange | undefined): readonly PolicyRule[] {
  if (own === undefined || (own.first <= 1 && own.last >= LAST_PORT)) {
    return [{ preference: FIRST_PREFERENCE, match: { kind: "everything" } }];
  }
  const ranges = [
    { first: 1, last: own.first - 1 },
    { first: own.last + 1, last: LAST_PORT },
  ].filter(({ first, last }) => first <= last);
  const matches = [...ranges.map((ports) => ({ kind: "tcp-from" as const, ports })), { kind: "not-tcp" as const }];
  return matches.map((match, index) => ({ preference: FIRST_PREFERENCE + index, match }));
}

export function ruleText({ preference, match }: PolicyRule): string {
  const words = { everything: "", "not-tcp": " not tcp", "tcp-from": "" }[match.kind];
  const ports = match.kind === "tcp-from" ? ` tcp sport ${match.ports.first}-${match.ports.last}` : "";
  return `${preference}:${words}${ports} lookup ${TABLE}`;
}

export function ruleChange(kind: "add" | "remove", family: Family, rule: PolicyRule, sequence: number): Uint8Array {
  const { match } = rule;
  const [type, flags] =
    kind === "add"
      ? [MESSAGE.newRule, FLAG.request | FLAG.ack | FLAG.create | FLAG.exclusive]
      : [MESSAGE.deleteRule, FLAG.request | FLAG.ack];
  return request(type, flags, sequence, ({ view, at }) => {
    view.setUint8(at, FAMILY_NUMBER[family]);
    view.setUint8(at + 7, RULE_ACTION_TABLE);
    view.setUint32(at + 8, match.kind === "not-tcp" ? RULE_INVERTED : 0, true);
    let end = putNumber(view, at + BODY_BYTES, RULE.preference, rule.preference);
    end = putNumber(view, end, RULE.table, TABLE);
    if (match.kind === "everything") return end;
    view.setUint16(end, 5, true);
    view.setUint16(end + 2, RULE.ipProtocol, true);
    view.setUint8(end + 4, TCP);
    end += 8;
    if (match.kind === "not-tcp") return end;
    view.setUint16(end, 8, true);
    view.setUint16(end + 2, RULE.sourcePorts, true);
    view.setUint16(end + 4, match.ports.first, true);
    view.setUint16(end + 6, match.ports.last, true);
    return end + 8;
  });
}

export function rulesRequest(family: Family, sequence: number): Uint8Array {
  return request(MESSAGE.getRule, FLAG.request | FLAG.dump, sequence, ({ view, at }) => {
    view.setUint8(at, FAMILY_NUMBER[family]);
    return at + BODY_BYTES;
  });
}

/** A rule that leads into our table; undefined = somebody else's. */
export function ruleIn({ view, type }: Message): PolicyRule | undefined {
  if (type !== MESSAGE.newRule) return undefined;
  const isInverted = (view.getUint32(MESSAGE_HEADER_BYTES + 8, true) & RULE_INVERTED) !== 0;
  let preference = 0;
  let table = 0;
  let protocol = 0;
  let ports: PortRange | undefined;
  for (const { type: attribute, from } of attributesIn(view, MESSAGE_HEADER_BYTES + BODY_BYTES, view.byteLength)) {
    if (attribute === RULE.preference) preference = view.getUint32(from, true);
    else if (attribute === RULE.table) table = view.getUint32(from, true);
    else if (attribute === RULE.ipProtocol) protocol = view.getUint8(from);
    else if (attribute === RULE.sourcePorts) {
      ports = { first: view.getUint16(from, true), last: view.getUint16(from + 2, true) };
    }
  }
  if (table !== TABLE) return undefined;
  if (protocol === TCP && isInverted) return { preference, match: { kind: "not-tcp" } };
  if (protocol === TCP && ports !== undefined) return { preference, match: { kind: "tcp-from", ports } };
  return { preference, match: { kind: "everything" } };
}
