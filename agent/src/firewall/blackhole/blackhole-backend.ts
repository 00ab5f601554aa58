/**
 * The backend for machines with neither ipset nor nftables: a route into nowhere for each denied prefix, in a table of our own.
 *
 * The kernel drops what this machine would answer, and with reverse path filtering (IPv4) what comes in, too. Routes know
 * neither sets nor timeouts: sets are kept here, each route's origin and metric tell a later run its set and its end, and what
 * has ended is taken away here: an agent that died leaves its routes in force until the next one starts.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { piecesOf } from "@fleetban/kit/pieces";
import { type Family, familyOf, isSingle, lengthOf, type Prefix } from "@fleetban/proto/model/prefix";
import type { Backend, DenyRule, Op, Refusal, RuleState, SetName } from "../backend.ts";
import { BackendError, remedyFor } from "../backend-error.ts";
import { createExclusive } from "../exclusive.ts";
import type { NetlinkSocket } from "../ipset/netlink-socket.ts";
import { KERNEL_TIMEOUT_MAX_SECONDS } from "../leases.ts";
import { createExpiry, type Ended } from "./expiry.ts";
import { createHeldSets } from "./held-sets.ts";
import { createKernelRoutes, type FoundRoute, type KernelRoutes } from "./kernel-routes.ts";
import { type PortRange, policyRules, ruleText } from "./policy-rule.ts";
import { FIRST_PREFERENCE, TABLE } from "./protocol.ts";
import { codeOfErrno } from "./route-failure.ts";
import { createRouteSync } from "./route-sync.ts";
import { ensureRules, missingRule } from "./rule-sync.ts";

export interface BlackholeBackendParts {
  /** Of the kind for routes; rejects where netlink can't be spoken. */
  readonly openSocket: () => Promise<NetlinkSocket>;
  /** net.ipv4.ip_local_port_range; undefined = not known, then this machine's own connections to listed addresses end, too. */
  readonly ownPorts: () => PortRange | undefined;
  readonly clock: Pick<Clock, "timer" | "nowMs" | "monotonicMs">;
  readonly log: Log;
}

const ENTRIES_A_PIECE = 1_000;
/** A dump of all is not older than this when a set is read; several sets are read one after the other. */
const COMPARED_FOR_MS = 5_000;
const NO_PREFERENCE = FIRST_PREFERENCE - 1;
const PRESENT: RuleState = { kind: "present" };

/** Rejects with a BackendError that says what to install, load or permit. */
export async function openBlackholeBackend(parts: BlackholeBackendParts): Promise<Backend> {
  const { clock, log } = parts;
  const kernel = createKernelRoutes(await openSocket(parts));
  checkPermission(kernel);
  const inTurn = createExclusive();
  /** Unix seconds, evenly on. */
  const offsetMs = clock.nowMs() - clock.monotonicMs();
  const now = () => (clock.monotonicMs() + offsetMs) / 1_000;
  const watchers = new Set<() => void>();
  let rules: readonly DenyRule[] | undefined;
  let comparedAtMs = Number.NEGATIVE_INFINITY;

  const expiry = createExpiry(clock, now, (ended) => {
    inTurn(() => end(ended)).catch((error: unknown) => log.warn("firewall.routes_not_ended", { error }));
  });
  const sets = createHeldSets(expiry.note);
  const routes = createRouteSync(kernel, sets, log);
  for (const family of kernel.families) await adopt(family);

  /** What ended while no agent ran goes at once. */
  async function adopt(family: Family): Promise<void> {
    const found = await kernel.read(family);
    const isOver = ({ route }: FoundRoute) => route.end !== 0 && route.end <= now();
    sets.adopt(found.filter((one) => !isOver(one)));
    await kernel.change(
      family,
      found.filter(isOver).map(({ prefix, route }) => ({ kind: "remove", prefix, route })),
    );
    if (found.length > 0) log.info("firewall.routes_adopted", { family, routes: found.length });
  }

  async function end(ended: readonly Ended[]): Promise<void> {
    for (const { set, prefix } of ended) set.remove(prefix);
    const prefixes = ended.map(({ prefix }) => prefix);
    if (rules !== undefined) await routes.syncPrefixes(rules, prefixes);
  }

  /** What is gone leaves its sets, so that whoever looks at them sees it; what is not ours to have there is removed. */
  async function compare(): Promise<void> {
    comparedAtMs = clock.monotonicMs();
    for (const family of kernel.families) {
      const { lost, foreign } = await kernel.compare(family);
      for (const prefix of lost) sets.forget(prefix);
      await kernel.change(
        family,
        foreign.map(({ prefix, route }) => ({ kind: "remove", prefix, route })),
      );
      if (foreign.length > 0) log.warn("firewall.routes_foreign", { family, routes: foreign.length });
    }
  }

  async function compareSoon(): Promise<void> {
    if (rules !== undefined && clock.monotonicMs() - comparedAtMs >= COMPARED_FOR_MS) await compare();
  }

  /** A table that was flushed shows in a few questions; when it is whole, the rules are suspect. */
  async function look(): Promise<void> {
    if (rules === undefined || kernel.families.every((family) => kernel.isSampleRight(family))) return;
    await compare();
    for (const onChange of watchers) onChange();
  }

  function addEntry(op: Op & { readonly kind: "add" }): Refusal | undefined {
    const set = sets.find(op.set);
    const { prefix } = op;
    if (set === undefined) return { op, code: "set-missing", detail: "no such set" };
    if (familyOf(prefix) !== set.family)
      return { op, code: "kernel-refused", detail: `not an IPv${set.family} address` };
    if (lengthOf(prefix) === 0) return { op, code: "kernel-refused", detail: "prefix length out of range" };
    if (!set.has(prefix) && set.size >= set.maxEntries) return { op, code: "set-full", detail: "the set is full" };
    const seconds = Math.min(op.timeoutSeconds, KERNEL_TIMEOUT_MAX_SECONDS);
    const end = seconds === 0 ? 0 : Math.max(Math.floor(now()) + 1, Math.floor(now() + seconds));
    set.put(prefix, end);
    expiry.note(set, prefix, end);
    return undefined;
  }

  function applyOp(op: Op): Refusal | undefined {
    if (op.kind === "add") return addEntry(op);
    const set = sets.find(op.set);
    if (set === undefined) return { op, code: "set-missing", detail: "no such set" };
    set.remove(op.prefix);
    return undefined;
  }

  async function apply(ops: readonly Op[]): Promise<readonly Refusal[]> {
    const refusals = ops.flatMap((op) => applyOp(op) ?? []);
    if (rules === undefined) return refusals; // whatever a former run left stays in force until they are known
    const prefixes = ops.map(({ prefix }) => prefix);
    const refused = await routes.syncPrefixes(rules, prefixes);
    if (refused.size === 0) return refusals;
    for (const prefix of refused.keys()) sets.forget(prefix);
    return [
      ...refusals,
      ...ops.flatMap((op): Refusal[] => {
        const errno = refused.get(op.prefix);
        if (errno === undefined) return [];
        return [{ op, code: codeOfErrno(errno), detail: `the kernel refuses the route with error ${errno}` }];
      }),
    ];
  }

  const referencesTo = (name: SetName) =>
    (rules ?? [])
      .flatMap(({ deny, except }) => [deny, ...except])
      .flatMap((pair) => [pair[4], pair[6]])
      .filter((named) => named === name).length;

  async function uninstall(): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const family of kernel.families) {
      for (const rule of kernel.rules(family)) {
        kernel.changeRule("remove", family, rule);
        removed.push(`ip rule ${ruleText(rule)} (IPv${family})`);
      }
      const present = await kernel.read(family);
      await kernel.change(
        family,
        present.map(({ prefix, route }) => ({ kind: "remove", prefix, route })),
      );
      if (present.length > 0) removed.push(`${present.length} routes of table ${TABLE} (IPv${family})`);
    }
    removed.push(...sets.headers(() => 0).map(({ name, entries }) => `set ${name} (${entries} entries)`));
    sets.clear();
    rules = undefined;
    return removed;
  }

  return {
    name: "blackhole",
    via: "netlink",
    enforces: ({ kind }) => kind === "all-traffic",
    createSet: (spec) => inTurn(async () => sets.create(spec)),
    swapSets: (a, b) =>
      inTurn(async () => {
        sets.swap(a, b);
        if (rules !== undefined && referencesTo(a) + referencesTo(b) > 0) await routes.syncAll(rules);
      }),
    destroySet: (name) =>
      inTurn(async () => {
        if (referencesTo(name) > 0) {
          throw new BackendError("set-in-use", `destroy set ${name}: a rule names the set`, remedyFor("set-in-use"));
        }
        sets.destroy(name);
      }),
    apply: (ops) => inTurn(() => apply(ops)),
    headers: () =>
      inTurn(async () => {
        await look();
        return sets.headers(referencesTo);
      }),
    async *readSet(name) {
      const entries = await inTurn(async () => {
        sets.must(name);
        await compareSoon();
        return sets.must(name).entries(now());
      });
      yield* piecesOf(entries, ENTRIES_A_PIECE);
    },
    testEntry: (name, prefix) => inTurn(async () => isInForce(sets.must(name).coverOf(prefix), name, prefix)),
    ensureRules: (wanted) =>
      inTurn(async () => {
        for (const pair of wanted.flatMap(({ deny, except }) => [deny, ...except])) {
          for (const name of [pair[4], pair[6]]) sets.must(name);
        }
        rules = wanted.filter(({ reach }) => reach.kind === "all-traffic");
        await routes.syncAll(rules);
        ensureRules(kernel, policyRules(parts.ownPorts()));
      }),
    ruleState: (wanted) =>
      inTurn(async () => {
        const enforceable = wanted.filter(({ reach }) => reach.kind === "all-traffic");
        if (JSON.stringify(rules) !== JSON.stringify(enforceable)) return { kind: "missing", what: "the rules" };
        const missing = missingRule(kernel, policyRules(parts.ownPorts()));
        return missing === undefined ? PRESENT : { kind: "missing", what: missing };
      }),
    watchRules(onChange) {
      watchers.add(onChange);
      return { close: () => void watchers.delete(onChange) };
    },
    uninstall: () => inTurn(uninstall),
    async close() {
      await inTurn(async () => expiry.close());
      kernel.close();
    },
  };

  /** As a packet from there would find it, where the set is enforced by a route. */
  function isInForce(cover: Prefix | undefined, name: SetName, prefix: Prefix): boolean {
    if (cover === undefined || (!isSingle(prefix) && cover !== prefix)) return false;
    const family = familyOf(prefix);
    if (!isSingle(prefix) || kernel.believed(family).get(cover)?.kind !== "blackhole" || referencesTo(name) === 0)
      return true;
    const isExempt = sets.roles(family, rules ?? []).except.some(({ set }) => set.coverOf(prefix) !== undefined);
    return isExempt || kernel.isBlackholed(family, prefix);
  }
}

/** Reading is everybody's; taking away what is not there tells who may write. */
function checkPermission(kernel: KernelRoutes): void {
  kernel.changeRule("remove", 4, { preference: NO_PREFERENCE, match: { kind: "everything" } });
}

async function openSocket({ openSocket: open }: BlackholeBackendParts): Promise<NetlinkSocket> {
  try {
    return await open();
  } catch (cause) {
    throw new BackendError("kernel-sets-missing", "routes: netlink can't be spoken here", {
      cause,
      hint: "install ipset or nftables; routes are changed by netlink only",
    });
  }
}
