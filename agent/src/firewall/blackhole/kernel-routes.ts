/**
 * Our table in the kernel: what is believed to be in it, changed in packed messages, compared with a dump when asked.
 *
 * No process and no text: 128 changes a message, of which the kernel answers the last and those that it refuses.
 */

import { bytesOf, type Family, lengthOf, type Prefix, prefixFromBytes, widen } from "@fleetban/proto/model/prefix";
import { FAMILIES } from "@fleetban/proto/model/sorted-columns";
import { BackendError } from "../backend-error.ts";
import { messagesIn } from "../ipset/attributes.ts";
import type { NetlinkSocket } from "../ipset/netlink-socket.ts";
import { nextTurn } from "../ipset/next-turn.ts";
import { type PolicyRule, ruleChange, ruleIn, rulesRequest, ruleText } from "./policy-rule.ts";
import { ERRNO, FIRST_PREFERENCE, MESSAGE, ROUTE_TYPE } from "./protocol.ts";
import { routeError } from "./route-failure.ts";
import {
  changesMessage,
  lookupRequest,
  type Route,
  type RouteChange,
  routeIn,
  routesRequest,
  routeTypeIn,
} from "./route-message.ts";
import { isTag } from "./set-tag.ts";

export interface FoundRoute {
  readonly prefix: Prefix;
  readonly route: Route;
}

/** What a look at the kernel found to be otherwise than believed. */
export interface Drifted {
  readonly lost: readonly Prefix[];
  readonly foreign: readonly FoundRoute[];
}

export interface KernelRoutes {
  /** Families that this kernel has. */
  readonly families: readonly Family[];
  believed(family: Family): ReadonlyMap<Prefix, Route>;
  /** In their order. Gives the error number of each that was refused. */
  change(family: Family, changes: readonly RouteChange[]): Promise<ReadonlyMap<RouteChange, number>>;
  /** Reads all; from then on it is believed. */
  read(family: Family): Promise<readonly FoundRoute[]>;
  compare(family: Family): Promise<Drifted>;
  /** A few believed routes, others each time, are asked of the kernel as a packet would. */
  isSampleRight(family: Family): boolean;
  isBlackholed(family: Family, address: Prefix): boolean;
  rules(family: Family): readonly PolicyRule[];
  changeRule(kind: "add" | "remove", family: Family, rule: PolicyRule): void;
  /** Has open connections look for their routes again: IPv6 does so by itself only for a change in the table that it used. */
  refreshConnections(family: Family): void;
  close(): void;
}

const CHANGES_A_MESSAGE = 128;
const MESSAGES_A_TURN = 8;
const SAMPLE = 4;
/** A rule that comes or goes makes the kernel forget what it has looked up. This one says what another says already. */
const REFRESHING: PolicyRule = { preference: FIRST_PREFERENCE + 9, match: { kind: "not-tcp" } };

export function createKernelRoutes(socket: NetlinkSocket): KernelRoutes {
  let sequence = 0;
  const beliefs: Record<Family, Map<Prefix, Route>> = { 4: new Map(), 6: new Map() };
  const walks: Record<Family, Iterator<Prefix> | undefined> = { 4: undefined, 6: undefined };
  const next = () => {
    sequence = (sequence + 1) >>> 0;
    return sequence;
  };

  function receive(): Uint8Array {
    const datagram = socket.receive();
    if (datagram !== undefined) return datagram;
    throw new BackendError("kernel-refused", "netlink: the kernel gave no answer within a second");
  }

  /** The error number of request `number`, 0 = done. */
  function ask(message: Uint8Array, number: number): number {
    socket.send(message);
    for (;;) {
      for (const { view, type, sequence: answered } of messagesIn(receive())) {
        if (answered !== number) continue;
        return type === MESSAGE.error ? -view.getInt32(16, true) : 0;
      }
    }
  }

  function* dump(message: Uint8Array, number: number): Generator<Uint8Array> {
    socket.send(message);
    for (;;) {
      const datagram = receive();
      for (const { view, type, sequence: answered } of messagesIn(datagram)) {
        if (answered === number && type === MESSAGE.error) throw routeError("netlink dump", -view.getInt32(16, true));
      }
      const piece = datagram.slice(); // its buffer is used again
      yield piece;
      if (endsIn(piece, number)) return;
    }
  }

  function send(family: Family, changes: readonly RouteChange[], refused: Map<RouteChange, number>): void {
    const first = sequence + 1;
    sequence = (sequence + changes.length) >>> 0;
    socket.send(changesMessage(family, changes, first));
    const errors = new Map<RouteChange, number>();
    for (let isOver = false; !isOver; ) {
      for (const { view, type, sequence: answered } of messagesIn(receive())) {
        const change = changes[answered - first];
        if (type !== MESSAGE.error || change === undefined) continue;
        errors.set(change, -view.getInt32(16, true));
        isOver ||= answered === sequence;
      }
    }
    for (const change of changes) {
      const { kind, prefix, route } = change;
      const errno = errors.get(change) ?? 0;
      const harmless = kind === "add" ? ERRNO.exists : ERRNO.noRoute;
      if (errno !== 0 && errno !== harmless) refused.set(change, errno);
      else if (kind === "add") beliefs[family].set(prefix, route);
      else if (isSame(beliefs[family].get(prefix), route)) beliefs[family].delete(prefix);
    }
  }

  async function readAll(family: Family): Promise<FoundRoute[]> {
    const found: FoundRoute[] = [];
    const number = next();
    for (const datagram of dump(routesRequest(family, number), number)) {
      for (const message of messagesIn(datagram)) {
        const one = routeIn(message);
        if (one !== undefined && isTag(one.route.tag)) found.push(one);
      }
      await nextTurn();
    }
    return found;
  }

  function believedKind(family: Family, address: Prefix): Route["kind"] | undefined {
    for (let length = lengthOf(address); length > 0; length -= 1) {
      const route = beliefs[family].get(widen(address, length));
      if (route !== undefined) return route.kind;
    }
    return undefined;
  }

  function isBlackholed(family: Family, address: Prefix): boolean {
    const number = next();
    socket.send(lookupRequest(family, address, number));
    for (;;) {
      for (const message of messagesIn(receive())) {
        if (message.sequence !== number) continue;
        if (message.type === MESSAGE.error) return -message.view.getInt32(16, true) === ERRNO.invalid;
        return routeTypeIn(message) === ROUTE_TYPE.blackhole;
      }
    }
  }

  function rules(family: Family): readonly PolicyRule[] {
    const number = next();
    const found: PolicyRule[] = [];
    for (const datagram of dump(rulesRequest(family, number), number)) {
      for (const message of messagesIn(datagram)) {
        const rule = ruleIn(message);
        if (rule !== undefined) found.push(rule);
      }
    }
    return found;
  }

  function changeRule(kind: "add" | "remove", family: Family, rule: PolicyRule): void {
    const number = next();
    const errno = ask(ruleChange(kind, family, rule, number), number);
    const harmless: number = kind === "add" ? ERRNO.exists : ERRNO.notThere;
    if (errno !== 0 && errno !== harmless) throw routeError(`ip rule ${ruleText(rule)}`, errno);
  }

  return {
    families: FAMILIES.filter((family) => isThere(() => rules(family))),
    believed: (family) => beliefs[family],
    async change(family, changes) {
      const refused = new Map<RouteChange, number>();
      for (let at = 0, sent = 1; at < changes.length; at += CHANGES_A_MESSAGE, sent += 1) {
        send(family, changes.slice(at, at + CHANGES_A_MESSAGE), refused);
        if (sent % MESSAGES_A_TURN === 0) await nextTurn();
      }
      return refused;
    },
    async read(family) {
      const found = await readAll(family);
      beliefs[family] = new Map(found.map(({ prefix, route }) => [prefix, route]));
      return found;
    },
    async compare(family) {
      const found = await readAll(family);
      const belief = beliefs[family];
      const lost = new Set(belief.keys());
      const foreign: FoundRoute[] = [];
      for (const one of found) {
        if (isSame(belief.get(one.prefix), one.route)) lost.delete(one.prefix);
        else foreign.push(one);
      }
      for (const prefix of lost) belief.delete(prefix);
      return { lost: [...lost], foreign };
    },
    isSampleRight(family) {
      for (let asked = 0; asked < SAMPLE; asked += 1) {
        walks[family] ??= beliefs[family].keys();
        const { value, done } = (walks[family] as Iterator<Prefix>).next();
        if (done === true) {
          walks[family] = undefined;
          return true;
        }
        const address = firstOf(value, family);
        if (isBlackholed(family, address) !== (believedKind(family, address) === "blackhole")) return false;
      }
      return true;
    },
    isBlackholed,
    rules,
    changeRule,
    refreshConnections(family) {
      if (family === 4) return;
      changeRule("add", family, REFRESHING);
      changeRule("remove", family, REFRESHING);
    },
    close: () => socket.close(),
  };
}

export function isSame(one: Route | undefined, other: Route | undefined): boolean {
  return one?.kind === other?.kind && one?.end === other?.end;
}

/** A kernel without IPv6 knows no rules of it. */
function isThere(look: () => unknown): boolean {
  try {
    look();
    return true;
  } catch (error) {
    if (error instanceof BackendError) return false;
    throw error;
  }
}

function endsIn(datagram: Uint8Array, number: number): boolean {
  return messagesIn(datagram).some(({ type, sequence }) => type === MESSAGE.done && sequence === number);
}

function firstOf(prefix: Prefix, family: Family): Prefix {
  return prefixFromBytes(bytesOf(prefix), family === 4 ? 32 : 128);
}
