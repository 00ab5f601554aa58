/** Numbers of rtnetlink (linux/rtnetlink.h, linux/fib_rules.h), and those by which our own routes and rules are known. */

/** A routing table of our own: nobody else's lookups pass through it. */
export const TABLE = 7_741;
/** Behind `local` (0), before whatever VPNs and containers put before `main`. */
export const FIRST_PREFERENCE = 741;
/** Routes of ours carry one of these as their origin (`proto`), by their set. Others' in our table are left alone. */
export const FIRST_TAG = 132;
export const TAGS = 100;

export const MESSAGE = {
  error: 2,
  done: 3,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
  newRule: 32,
  deleteRule: 33,
  getRule: 34,
} as const;

export const FLAG = { request: 0x1, ack: 0x4, dump: 0x300, exclusive: 0x200, create: 0x400 } as const;

export const ROUTE_TYPE = { blackhole: 6, throw: 9 } as const;
export const ROUTE = { destination: 1, priority: 6, table: 15, ipProtocol: 27 } as const;
export const RULE = { preference: 6, table: 15, ipProtocol: 22, sourcePorts: 23 } as const;
export const RULE_ACTION_TABLE = 1;
export const RULE_INVERTED = 0x2;

export const SCOPE_ANY = 255;
export const FAMILY_NUMBER = { 4: 2, 6: 10 } as const;
export const TCP = 6;
export const UDP = 17;

export const ERRNO = {
  permission: 1,
  notThere: 2,
  noRoute: 3,
  exists: 17,
  invalid: 22,
  noMemory: 12,
  noFamily: 97,
} as const;
