/** The little of nftables' netlink that concerns us: the generation of the rules, and notices of changes in a table. */
import {
  ATTRIBUTES_AT,
  type AttributeWriter,
  attributesIn,
  MESSAGE_HEADER_BYTES,
  messagesIn,
  textOf,
} from "./attributes.ts";
import { FAMILY_NUMBER } from "./protocol.ts";

const SUBSYSTEM = 10 << 8; // NFNL_SUBSYS_NFTABLES
const DELETE_TABLE = SUBSYSTEM | 2;
const NEW_CHAIN = SUBSYSTEM | 3;
const DELETE_CHAIN = SUBSYSTEM | 5;
const NEW_RULE = SUBSYSTEM | 6;
const DELETE_RULE = SUBSYSTEM | 8;
const NEW_GENERATION = SUBSYSTEM | 15;
const GET_GENERATION = SUBSYSTEM | 16;

/** A new table is none of our loss; sets' elements come by the thousand. */
const CHANGES: ReadonlySet<number> = new Set([DELETE_TABLE, NEW_CHAIN, DELETE_CHAIN, NEW_RULE, DELETE_RULE]);
const FAMILIES: ReadonlySet<number> = new Set([FAMILY_NUMBER[4], FAMILY_NUMBER[6]]);
const TABLE_NAME = 1; // of each of these messages
/** Which attribute names the chain; a message about a table has none. */
const CHAIN_NAME: ReadonlyMap<number, number> = new Map([
  [NEW_CHAIN, 3],
  [DELETE_CHAIN, 3],
  [NEW_RULE, 2],
  [DELETE_RULE, 2],
]);
const GENERATION_ID = 1;
const REQUEST = 1;

/** NFNLGRP_NFTABLES: the group that is told of changes. */
export const NFTABLES_GROUP = 7;

export function generationRequest(writer: AttributeWriter): Uint8Array {
  writer.begin({ type: GET_GENERATION, flags: REQUEST, family: 0 });
  return writer.finish();
}

export function generationIn(datagram: Uint8Array): number | undefined {
  for (const { view, type } of messagesIn(datagram)) {
    if (type !== NEW_GENERATION) continue;
    for (const attribute of attributesIn(view, ATTRIBUTES_AT, view.byteLength)) {
      if (attribute.type === GENERATION_ID) return view.getUint32(attribute.from);
    }
  }
  return undefined;
}

/** Chains by table. What happens in others of the same table is none of our loss. */
export type WatchedChains = ReadonlyMap<string, ReadonlySet<string>>;

/** Whether it tells of a change to one of these chains of iptables, or to the rules in it. */
export function tellsOfChange(datagram: Uint8Array, watched: WatchedChains): boolean {
  for (const { view, type } of messagesIn(datagram)) {
    if (!CHANGES.has(type) || view.byteLength < ATTRIBUTES_AT) continue;
    if (!FAMILIES.has(view.getUint8(MESSAGE_HEADER_BYTES))) continue;
    const texts = new Map<number, string>();
    for (const attribute of attributesIn(view, ATTRIBUTES_AT, view.byteLength)) {
      if (attribute.type <= 3) texts.set(attribute.type, textOf(view, attribute));
    }
    const chains = watched.get(texts.get(TABLE_NAME) ?? "");
    const named = CHAIN_NAME.get(type);
    if (chains !== undefined && (named === undefined || chains.has(texts.get(named) ?? ""))) return true;
  }
  return false;
}
