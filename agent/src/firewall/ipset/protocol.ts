/** Numbers of the kernel's ipset protocol 7: linux/netfilter/ipset/ip_set.h, linux/netlink.h. */

const SUBSYSTEM = 6 << 8; // NFNL_SUBSYS_IPSET

export const COMMAND = {
  create: SUBSYSTEM | 2,
  destroy: SUBSYSTEM | 3,
  swap: SUBSYSTEM | 6,
  list: SUBSYSTEM | 7,
  add: SUBSYSTEM | 9,
  remove: SUBSYSTEM | 10,
  test: SUBSYSTEM | 11,
} as const;

export const MESSAGE_ERROR = 2;
export const MESSAGE_DONE = 3;

const REQUEST = 1;
const ACK = 4;
export const FLAGS = {
  /** An existing entry gets its timeout anew, an absent one is removed without complaint. */
  forgiving: REQUEST | ACK,
  /** An existing set is an error. */
  exclusive: REQUEST | ACK | 0x600,
  dump: REQUEST | ACK | 0x300,
} as const;

/** In a message. */
export const ATTRIBUTE = {
  protocol: 1,
  setName: 2,
  typeName: 3,
  /** The other set of a swap. */
  otherName: 3,
  revision: 4,
  family: 5,
  flags: 6,
  /** One entry, or the options of a set. */
  record: 7,
  /** Many entries. */
  entries: 8,
  line: 9,
} as const;

/** In a record. */
export const RECORD = {
  address: 1,
  length: 3,
  timeout: 6,
  /** Of a set: which extensions it has. */
  setFlags: 8,
  line: 9,
  hashSize: 18,
  maxEntries: 19,
  elements: 24,
  references: 25,
} as const;

/** In the record of an entry, where they stand for something else than in a set's; 64 bits. */
export const COUNTER = { bytes: 24, packets: 25 } as const;

export const WITH_COUNTERS = 8; // IPSET_FLAG_WITH_COUNTERS

/** In an address. */
export const ADDRESS = { v4: 1, v6: 2 } as const;

export const LIST_HEADERS_ONLY = 4; // IPSET_FLAG_LIST_HEADER

export const FAMILY_NUMBER = { 4: 2, 6: 10 } as const; // AF_INET, AF_INET6

export const SET_TYPE = "hash:net";
export const PROTOCOL = 7;
/** Of hash:net: 7 since Linux 5.17; timeouts have been there since 0, counters since 3 (Linux 3.10). */
export const NEWEST_REVISION = 7;

/** 2^31 - 1 ms: netlink clamps beyond it, the program refuses. */
export const MAX_TIMEOUT_SECONDS = 2_147_483;
