/** Requests about tables, chains, rules and sets: what a transaction is made of. */
import type { Family } from "@fleetban/proto/model/prefix";
import type { Request } from "./conversation.ts";
import { writeRule } from "./expressions.ts";
import type { HookPlace } from "./layout.ts";
import type { MessageWriter } from "./message-writer.ts";
import { TABLE_NAME } from "./names.ts";
import {
  CHAIN,
  EXPRESSION,
  FAMILY_NUMBER,
  FLAG,
  HOOK,
  MESSAGE,
  RULE,
  SET,
  SET_DESCRIPTION,
  SET_HAS_EXPRESSIONS,
  SET_HAS_TIMEOUTS,
  TABLE,
} from "./protocol.ts";
import { ADDRESS_BITS, type Rule } from "./statement.ts";

const HOOK_NUMBER: Readonly<Record<HookPlace["hook"], number>> = { prerouting: 0, forward: 2, output: 3 };
const POLICY_ACCEPT = 1;
const TYPE_NAME: Readonly<Record<Family, number>> = { 4: 7, 6: 8 }; // nft's ipv4_addr, ipv6_addr: how `nft list` shows it

export interface KernelSetSpec {
  readonly name: string;
  readonly family: Family;
  /** Undefined = no bound, and no room made in advance. */
  readonly maxEntries: number | undefined;
  readonly counts: boolean;
}

export function newTable(family: Family, table: string = TABLE_NAME): Request {
  return request(MESSAGE.newTable, FLAG.create, family, (writer) => writer.text(TABLE.name, table));
}

export function deleteTable(family: Family, table: string = TABLE_NAME): Request {
  return request(MESSAGE.deleteTable, 0, family, (writer) => writer.text(TABLE.name, table));
}

export function newBaseChain(family: Family, chain: string, { hook, priority }: HookPlace): Request {
  return request(MESSAGE.newChain, FLAG.create, family, (writer) => {
    chainNames(writer, chain);
    writer.nest(CHAIN.hook, () => {
      writer.u32(HOOK.number, HOOK_NUMBER[hook]);
      writer.u32(HOOK.priority, priority);
    });
    writer.u32(CHAIN.policy, POLICY_ACCEPT);
    writer.text(CHAIN.type, "filter");
  });
}

export function newChain(family: Family, chain: string): Request {
  return request(MESSAGE.newChain, FLAG.create, family, (writer) => chainNames(writer, chain));
}

export function deleteChain(family: Family, chain: string): Request {
  return request(MESSAGE.deleteChain, 0, family, (writer) => chainNames(writer, chain));
}

/** All rules of a chain; it must be there. */
export function clearChain(family: Family, chain: string): Request {
  return request(MESSAGE.deleteRule, 0, family, (writer) => ruleNames(writer, chain));
}

export function newRule(family: Family, chain: string, rule: Rule): Request {
  return request(MESSAGE.newRule, FLAG.create | FLAG.append, family, (writer) => {
    ruleNames(writer, chain);
    writer.nest(RULE.expressions, () => writeRule(writer, rule));
  });
}

/** An existing set is left as it is. */
export function newSet({ name, family, maxEntries, counts }: KernelSetSpec, table: string = TABLE_NAME): Request {
  return request(MESSAGE.newSet, FLAG.create, family, (writer) => {
    writer.text(SET.table, table);
    writer.text(SET.name, name);
    writer.u32(SET.flags, SET_HAS_TIMEOUTS | (counts ? SET_HAS_EXPRESSIONS : 0));
    writer.u32(SET.keyType, TYPE_NAME[family]);
    writer.u32(SET.keyLength, ADDRESS_BITS[family] / 8);
    writer.u32(SET.id, 1); // the kernel wants one; nothing of ours refers to it
    if (maxEntries !== undefined) writer.nest(SET.description, () => writer.u32(SET_DESCRIPTION.size, maxEntries));
    if (counts) {
      writer.nest(SET.expression, () => {
        writer.text(EXPRESSION.name, "counter");
        writer.nest(EXPRESSION.data, () => undefined);
      });
    }
  });
}

export function deleteSet(family: Family, name: string): Request {
  return request(MESSAGE.deleteSet, 0, family, (writer) => setNames(writer, name));
}

/** Answered by an error when it isn't there. */
export function getSet(family: Family, name: string, table: string = TABLE_NAME): Request {
  return request(MESSAGE.getSet, 0, family, (writer) => setNames(writer, name, table));
}

/** All things of a kind in our table: what sets, chains and rules call the table is attribute 1 of each. */
export function dumpOf(type: number, family: Family): Request {
  return request(type, 0, family, (writer) => writer.text(TABLE.name, TABLE_NAME));
}

function setNames(writer: MessageWriter, name: string, table: string = TABLE_NAME): void {
  writer.text(SET.table, table);
  writer.text(SET.name, name);
}

function chainNames(writer: MessageWriter, chain: string): void {
  writer.text(CHAIN.table, TABLE_NAME);
  writer.text(CHAIN.name, chain);
}

function ruleNames(writer: MessageWriter, chain: string): void {
  writer.text(RULE.table, TABLE_NAME);
  writer.text(RULE.chain, chain);
}

function request(type: number, flags: number, family: Family, write: Request["write"]): Request {
  return { type, flags, family: FAMILY_NUMBER[family], write };
}
