/** Numbers of the kernel's nf_tables protocol: linux/netfilter/nf_tables.h, nfnetlink.h, netlink.h. */
import type { Family } from "@fleetban/proto/model/prefix";

export const SUBSYSTEM = 10; // NFNL_SUBSYS_NFTABLES
const of = (message: number) => (SUBSYSTEM << 8) | message;

export const MESSAGE = {
  newTable: of(0),
  deleteTable: of(2),
  newChain: of(3),
  getChain: of(4),
  deleteChain: of(5),
  newRule: of(6),
  getRule: of(7),
  /** Without a handle: all rules of a chain. */
  deleteRule: of(8),
  newSet: of(9),
  getSet: of(10),
  deleteSet: of(11),
  newElement: of(12),
  getElement: of(13),
  deleteElement: of(14),
  getGeneration: of(16),
  /** As delete, without a complaint about what is absent; since Linux 6.3. */
  destroyElement: of(30),
} as const;

export const BATCH_BEGIN = 16;
export const BATCH_END = 17;
export const NETLINK_ERROR = 2;
export const NETLINK_DONE = 3;

export const FLAG = {
  request: 1,
  ack: 4,
  /** In an answer: what was dumped changed meanwhile. */
  interrupted: 0x10,
  exclusive: 0x200,
  dump: 0x300,
  create: 0x400,
  append: 0x800,
} as const;

export const FAMILY_NUMBER: Readonly<Record<Family, number>> = { 4: 2, 6: 10 }; // NFPROTO_IPV4, NFPROTO_IPV6

export const ERRNO = {
  notPermitted: 1,
  absent: 2,
  busy: 16,
  exists: 17,
  invalid: 22,
  noRoom: 23, // ENFILE: as many elements as the set's size
  notSupported: 95,
  /** More answers than the socket takes. */
  overrun: 105,
} as const;

export const TABLE = { name: 1 } as const;
export const CHAIN = { table: 1, name: 3, hook: 4, policy: 5, type: 7 } as const;
export const HOOK = { number: 1, priority: 2 } as const;
export const RULE = { table: 1, chain: 2, expressions: 4 } as const;
export const SET = {
  table: 1,
  name: 2,
  flags: 3,
  keyType: 4,
  keyLength: 5,
  description: 9,
  id: 10,
  expression: 17,
  /** Elements, expired ones included until they are swept (a second); since Linux 6.17. */
  count: 20,
} as const;
export const SET_DESCRIPTION = { size: 1 } as const;
export const SET_HAS_TIMEOUTS = 0x10;
export const SET_HAS_EXPRESSIONS = 0x100;
export const ELEMENT_LIST = { table: 1, set: 2, elements: 3 } as const;
export const LIST_ITEM = 1;
export const ELEMENT = { key: 1, timeout: 4, expiration: 5, expression: 7, expressions: 11 } as const;
export const VALUE = 1;
export const VERDICT = 2;
export const VERDICT_PART = { code: 1, chain: 2 } as const;
export const EXPRESSION = { name: 1, data: 2 } as const;
export const COUNTER = { bytes: 1, packets: 2 } as const;

/** 2^31 - 1 ms, as ipset has it, so that what a timeout can be does not depend on the backend. */
export const MAX_TIMEOUT_SECONDS = 2_147_483;
