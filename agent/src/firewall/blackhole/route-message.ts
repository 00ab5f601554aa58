/**
 * Routes and rules as rtnetlink has them: requests into one buffer that is kept, dumps into values. Numbers are little-endian.
 *
 * A route's metric is the moment at which it ends (Unix seconds), its origin names the set it belongs to: so the kernel itself
 * tells an agent that starts anew what it has, from which list and until when.
 */
import { bytesOf, type Family, lengthOf, type Prefix, prefixFromBytes } from "@fleetban/proto/model/prefix";
import { aligned, attributesIn, MESSAGE_HEADER_BYTES, type Message } from "../ipset/attributes.ts";
import { FAMILY_NUMBER, FLAG, MESSAGE, ROUTE, ROUTE_TYPE, SCOPE_ANY, TABLE, UDP } from "./protocol.ts";

export interface Route {
  readonly kind: keyof typeof ROUTE_TYPE;
  /** Of its set, see set-tag.ts. */
  readonly tag: number;
  /** Unix seconds; 0 = it has no end. */
  readonly end: number;
}

export interface RouteChange {
  readonly kind: "add" | "remove";
  readonly prefix: Prefix;
  readonly route: Route;
}

/** IPv6 makes 1024 of 0. */
const ENDLESS_METRIC = 1;
const BODY_BYTES = 12;
const LARGEST_BYTES = MESSAGE_HEADER_BYTES + BODY_BYTES + 20 + 8 + 8;
const ADD_FLAGS = FLAG.request | FLAG.create | FLAG.exclusive;

/** Several changes as one datagram: only the last asks for an answer, a refusal comes by itself. Their numbers follow `firstSequence`. */
export function changesMessage(family: Family, changes: readonly RouteChange[], firstSequence: number): Uint8Array {
  const bytes = new Uint8Array(changes.length * LARGEST_BYTES);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [index, { kind, prefix, route }] of changes.entries()) {
    const isLast = index === changes.length - 1;
    const begun = at;
    view.setUint16(at + 4, kind === "add" ? MESSAGE.newRoute : MESSAGE.deleteRoute, true);
    view.setUint16(at + 6, (kind === "add" ? ADD_FLAGS : FLAG.request) | (isLast ? FLAG.ack : 0), true);
    view.setUint32(at + 8, (firstSequence + index) >>> 0, true);
    at += MESSAGE_HEADER_BYTES;
    view.setUint8(at, FAMILY_NUMBER[family]);
    view.setUint8(at + 1, lengthOf(prefix));
    view.setUint8(at + 5, route.tag);
    view.setUint8(at + 6, kind === "add" ? 0 : SCOPE_ANY);
    view.setUint8(at + 7, ROUTE_TYPE[route.kind]);
    at += BODY_BYTES;
    const address = bytesOf(prefix);
    view.setUint16(at, 4 + address.length, true);
    view.setUint16(at + 2, ROUTE.destination, true);
    bytes.set(address, at + 4);
    at = putNumber(view, at + 4 + address.length, ROUTE.priority, route.end === 0 ? ENDLESS_METRIC : route.end);
    at = putNumber(view, at, ROUTE.table, TABLE);
    view.setUint32(begun, at - begun, true);
  }
  return bytes.subarray(0, at);
}

/** All routes of our table; kernels that can't filter send those of others, too. */
export function routesRequest(family: Family, sequence: number): Uint8Array {
  return request(MESSAGE.getRoute, FLAG.request | FLAG.dump, sequence, (body) => {
    body.view.setUint8(body.at, FAMILY_NUMBER[family]);
    return putNumber(body.view, body.at + BODY_BYTES, ROUTE.table, TABLE);
  });
}

/** How a datagram (UDP, that the rules never let pass) to this address would go. */
export function lookupRequest(family: Family, prefix: Prefix, sequence: number): Uint8Array {
  return request(MESSAGE.getRoute, FLAG.request, sequence, ({ view, at }) => {
    const address = bytesOf(prefix);
    view.setUint8(at, FAMILY_NUMBER[family]);
    view.setUint8(at + 1, address.length * 8);
    let end = at + BODY_BYTES;
    view.setUint16(end, 4 + address.length, true);
    view.setUint16(end + 2, ROUTE.destination, true);
    new Uint8Array(view.buffer).set(address, end + 4);
    end += 4 + address.length;
    view.setUint16(end, 5, true);
    view.setUint16(end + 2, ROUTE.ipProtocol, true);
    view.setUint8(end + 4, UDP);
    return end + 8;
  });
}

/** A route of our table that is ours; undefined = somebody else's. */
export function routeIn({ view, type }: Message): { readonly prefix: Prefix; readonly route: Route } | undefined {
  if (type !== MESSAGE.newRoute) return undefined;
  const family: Family = view.getUint8(MESSAGE_HEADER_BYTES) === FAMILY_NUMBER[4] ? 4 : 6;
  const length = view.getUint8(MESSAGE_HEADER_BYTES + 1);
  const kind = KIND_OF_TYPE.get(view.getUint8(MESSAGE_HEADER_BYTES + 7));
  let address = new Uint8Array(family === 4 ? 4 : 16);
  let metric = 0;
  let table = view.getUint8(MESSAGE_HEADER_BYTES + 4);
  for (const { type: attribute, from, to } of attributesIn(view, MESSAGE_HEADER_BYTES + BODY_BYTES, view.byteLength)) {
    if (attribute === ROUTE.destination)
      address = new Uint8Array(view.buffer, view.byteOffset + from, to - from).slice();
    else if (attribute === ROUTE.priority) metric = view.getUint32(from, true);
    else if (attribute === ROUTE.table) table = view.getUint32(from, true);
  }
  if (table !== TABLE || kind === undefined || length === 0) return undefined;
  const route: Route = {
    kind,
    tag: view.getUint8(MESSAGE_HEADER_BYTES + 5),
    end: metric === ENDLESS_METRIC ? 0 : metric,
  };
  return { prefix: prefixFromBytes(address, length), route };
}

export function routeTypeIn({ view }: Message): number {
  return view.getUint8(MESSAGE_HEADER_BYTES + 7);
}

const KIND_OF_TYPE = new Map<number, Route["kind"]>([
  [ROUTE_TYPE.blackhole, "blackhole"],
  [ROUTE_TYPE.throw, "throw"],
]);

/** One message: `fill` writes behind the header and says where it ended. */
export function request(
  type: number,
  flags: number,
  sequence: number,
  fill: (body: { readonly view: DataView; readonly at: number }) => number,
): Uint8Array {
  const bytes = new Uint8Array(128);
  const view = new DataView(bytes.buffer);
  const end = aligned(fill({ view, at: MESSAGE_HEADER_BYTES }));
  view.setUint32(0, end, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  return bytes.subarray(0, end);
}

/** Gives the place behind it. */
export function putNumber(view: DataView, at: number, type: number, value: number): number {
  view.setUint16(at, 8, true);
  view.setUint16(at + 2, type, true);
  view.setUint32(at + 4, value, true);
  return at + 8;
}
