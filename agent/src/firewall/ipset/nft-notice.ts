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

/** Whether it tells of a change to the chains or rules of iptables' table of that name. */
export function tellsOfChange(datagram: Uint8Array, table: string): boolean {
  for (const { view, type } of messagesIn(datagram)) {
    if (!CHANGES.has(type) || view.byteLength < ATTRIBUTES_AT) continue;
    if (!FAMILIES.has(view.getUint8(MESSAGE_HEADER_BYTES))) continue;
    for (const attribute of attributesIn(view, ATTRIBUTES_AT, view.byteLength)) {
      if (attribute.type === TABLE_NAME && textOf(view, attribute) === table) return true;
    }
  }
  return false;
}
