/**
 * Follows the mirror: opens sets for a list when its time has come, and turns snapshots, deltas, removals and a moving
 * line into wishes. A list's own steps happen one after the other; lists don't wait for each other.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { DigestKey } from "@fleetban/proto/model/digest";
import type { List, ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { MirrorChange, MirroredList } from "../mirror/held.ts";
import type { Mirror, Replaced } from "../mirror/mirror.ts";
import type { Backend, DenyRule, SetName, Verdict } from "./backend.ts";
import { createBrake } from "./brake.ts";
import type { Cut } from "./cut.ts";
import { denyRules } from "./deny-rules.ts";
import type { Enforcer } from "./enforcer.ts";
import { createExclusive, type Exclusive } from "./exclusive.ts";
import { createLineFollower } from "./follow-line.ts";
import type { KernelSet, Owner } from "./kernel-set.ts";
import { wishChanges } from "./list-changes.ts";
import type { ListSets, ListState } from "./list-sets.ts";
import { type LoadFacts, type LoadParts, loadList, makeRoom, openSet } from "./load-list.ts";
import type { MachineSets } from "./machine-sets.ts";
import type { FirewallMemory } from "./saved-state.ts";
import { listSets } from "./set-names.ts";
import { type KernelPair, type SetRegistry, setsOf } from "./set-registry.ts";
import { isSupported } from "./supported.ts";
import type { AskPlainList, AskWanted } from "./wanted.ts";
import { createWithdrawals, type Withdrawals } from "./withdraw-list.ts";

export interface ListKeeperParts {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly log: Log;
  readonly mirror: Mirror;
  readonly lists: ListSets;
  readonly sets: SetRegistry;
  readonly cut: Cut;
  readonly enforcer: Enforcer;
  readonly machine: MachineSets;
  readonly wanted: AskWanted;
  readonly plainList: AskPlainList;
  readonly ledgerNowMs: () => number;
  readonly capacity: number;
  readonly verdict: Verdict;
  readonly syncRules: () => Promise<void>;
  readonly onMemory: () => void;
  /** So many entries are about to be added in the bulk lane. */
  readonly onExpected: (entries: number) => void;
  /** The list's newest revision is wholly in the kernel. */
  readonly onEnforced: (list: ListNo) => void;
}

export interface ListKeeper {
  readonly withdrawals: Withdrawals;
  /** What the brake kept in a former run, in sets that are not open yet. */
  readonly keptBefore: ReadonlyMap<SetName, readonly Prefix[]>;
  /** What a former run remembered, before anything is opened. */
  restore(memory: FirewallMemory): Promise<void>;
  /** Loads whatever may be and is not yet, or not in its newest form. Never rejects: what fails is tried again. */
  openAll(): Promise<void>;
  changed(list: ListNo, changes: readonly MirrorChange[], approved: boolean): void;
  replaced(list: ListNo, replaced: Replaced, approved: boolean): void;
  /** What is said of the lists changed. */
  redefined(): Promise<void>;
  removed(removed: MirroredList, approved: boolean): Promise<void>;
  /** Those that have sets. */
  opened(): readonly List[];
  /** Wishes all that the list's set is to hold. */
  refill(set: KernelSet): void;
  /** Notes revisions that are wholly in the kernel. */
  advance(): void;
  /** Looked at once a minute: there may be room again. */
  growLine(): void;
  /** Every deny list that has a mirror, or sets of a former run, is open: rules without one of them would let it in. */
  areAllOpen(): boolean;
  /** As they are to be; exempt lists and own addresses in the kernel provided. */
  rules(): readonly DenyRule[];
}

const SAME_LEDGER: LoadFacts = { approved: false, isNewEpoch: false };

export function createListKeeper(parts: ListKeeperParts): ListKeeper {
  const { backend, clock, log, mirror, lists, sets, cut, enforcer } = parts;
  const { lanes, growth, exclusive, readBack, planAdd, planAdds } = enforcer;
  const nowSeconds = () => clock.monotonicMs() / 1_000;
  const steps = new Map<ListNo, Exclusive>();
  /** How the blocklists that are not loaded yet came to be. */
  const unloaded = new Map<ListNo, LoadFacts>();
  /** What the brake kept in a former run, by set that is not open yet. */
  const keptBefore = new Map<SetName, readonly Prefix[]>();

  /** What the kernel held before this run. */
  const setsBefore = new Set<SetName>();
  /** Lists that could not be opened at the last attempt: nothing waits for them. */
  const closed = new Set<ListNo>();

  const withdrawals = createWithdrawals({
    ...{ backend, sets, lanes, exclusive, log, nowSeconds },
    syncRules: parts.syncRules,
    onMemory: parts.onMemory,
  });
  const line = createLineFollower({ enforcer, lists, cut, log, wanted: parts.wanted, onMemory: parts.onMemory });
  const loadParts: LoadParts = {
    ...{ backend, clock, log, lanes, lists, growth, exclusive, readBack, planAdd, planAdds },
    onJudged: enforcer.truthChanged,
    brake: createBrake(clock),
    wanted: parts.wanted,
    plainList: parts.plainList,
    ledgerNowMs: parts.ledgerNowMs,
    capacity: parts.capacity,
    onMemory: parts.onMemory,
    onReady: becameReady,
    onExpected: parts.onExpected,
  };

  function inTurn(list: ListNo, act: () => Promise<void>): Promise<void> {
    const step = steps.get(list) ?? createExclusive();
    steps.set(list, step);
    return step(act);
  }

  /** The first time all of an exempt list is in the kernel, deny lists may come. */
  function becameReady(state: ListState): void {
    if (state.list.effect !== "exempt") return;
    parts.machine.liftCovered();
    if (state.isReady) return;
    state.isReady = true;
    // The pump that calls here must not wait for what needs the pump.
    void openAll();
  }

  async function openAll(): Promise<void> {
    const exemptFirst = mirror.lists().toSorted((a, b) => exemptOrder(a) - exemptOrder(b));
    for (const { list } of exemptFirst) await openNewest(list);
  }

  /** Never rejects. Another blocklist than the judged one has yet to be loaded. */
  async function openNewest({ list: no, name }: List): Promise<void> {
    const isLoaded = () => {
      const judged = lists.get(no)?.judged;
      return judged !== undefined && judged === mirror.get(no)?.held?.blocklist;
    };
    try {
      await inTurn(no, async () => {
        if (!isLoaded()) await load(no, unloaded.get(no) ?? SAME_LEDGER);
        if (isLoaded()) unloaded.delete(no);
      });
      closed.delete(no);
    } catch (error) {
      closed.add(no);
      log.error("firewall.list_not_loaded", { list: name, error });
    }
  }

  function isOpen({ list, held }: MirroredList): boolean {
    if (list.effect !== "deny" || !isSupported(list, backend) || lists.get(list.list) !== undefined) return true;
    return closed.has(list.list) || (held === undefined && !setsBefore.has(listSets(list)[4]));
  }

  /** Opens the list's sets if need be. Undefined = its time has not come, or it is not understood. */
  async function open(no: ListNo): Promise<ListState | undefined> {
    const { list, held } = mirror.get(no) ?? {};
    if (list === undefined || held === undefined || !isSupported(list, backend)) return undefined;
    const present = lists.get(no);
    if (present !== undefined) return present;
    if (list.effect === "deny" && !lists.isExemptReady()) return undefined;
    const pair = pairFor(list, held.blocklist.key);
    for (const set of setsOf(pair)) {
      await openSet(loadParts, set, held.blocklist);
      for (const prefix of keptBefore.get(set.name) ?? []) if (!held.blocklist.has(prefix)) set.entries.keep(prefix);
      keptBefore.delete(set.name);
    }
    const state = newState(list, pair);
    lists.add(state);
    parts.onMemory();
    return state;
  }

  function pairFor(list: List, key: DigestKey): KernelPair {
    const effect = list.effect === "exempt" ? "exempt" : "deny";
    const owner: Owner = { kind: "list", list: list.list, effect };
    const left = withdrawals.takeBack(list.list);
    if (left === undefined) return sets.ofList(list.list) ?? sets.addList(listSets(list), owner, key);
    for (const set of setsOf(left)) set.owner = owner;
    return left;
  }

  async function load(no: ListNo, facts: LoadFacts): Promise<void> {
    const state = await open(no);
    const held = mirror.get(no)?.held;
    if (state === undefined || held === undefined) return;
    if (facts.isNewEpoch) state.enforcedRevision = undefined;
    if (state.list.effect === "deny") {
      await cut.replaced(held.blocklist);
      line.follow(false);
    }
    await loadList(loadParts, state, held, facts);
    await parts.syncRules();
    advance();
  }

  async function changed(no: ListNo, changes: readonly MirrorChange[], approved: boolean): Promise<void> {
    const state = lists.get(no);
    if (state === undefined) return;
    if (state.list.effect === "deny") void countChanges(no, changes);
    for (const set of setsOf(state.pair)) void makeRoom(loadParts, set, mirror.get(no)?.held);
    state.wishing += 1;
    await wishChanges({ ...loadParts, lift: parts.machine.lift }, state, changes, approved);
    state.wishing -= 1;
    const held = mirror.get(no)?.held;
    if (state.wishing > 0 || held === undefined || state.judged !== held.blocklist) return;
    state.knownRevision = held.revision;
    advance();
  }

  /** Counting may have to begin, which takes its time; it computes only and does not reject. */
  async function countChanges(no: ListNo, changes: readonly MirrorChange[]): Promise<void> {
    await cut.changed(no, changes);
    line.follow(false);
  }

  function advance(): void {
    if (lanes.inFlight !== undefined) return;
    for (const state of lists.all()) {
      const { knownRevision, enforcedRevision, pair, judged, list } = state;
      if (knownRevision === enforcedRevision || judged !== mirror.get(list.list)?.held?.blocklist) continue;
      if (setsOf(pair).some(lanes.isPending)) continue;
      state.enforcedRevision = knownRevision;
      parts.onEnforced(list.list);
    }
  }

  /** No rule names its sets any more; what is in them ends by itself. */
  async function letGo(state: ListState): Promise<void> {
    lists.remove(state.list.list);
    cut.removed(state.list.list);
    await parts.syncRules();
    sets.drop(state.pair);
    for (const set of setsOf(state.pair)) lanes.drop(set);
  }

  return {
    withdrawals,
    keptBefore,
    openAll,
    // It computes and wishes, and does not reject.
    changed: (list, changes, approved) => void changed(list, changes, approved),
    refill: line.refill,
    advance,
    growLine: () => line.follow(true),
    async restore(memory) {
      for (const [name, prefixes] of Object.entries(memory.keptBySet)) keptBefore.set(name, prefixes);
      cut.restore(memory.line);
      for (const prefix of memory.approvedWide) lists.approvedWide.add(prefix);
      const present = new Set((await backend.headers()).map(({ name }) => name));
      for (const name of present) setsBefore.add(name);
      // What was enforced and has no readable mirror now is left as it is, too, until it is told anew (PROTOCOL rule 5).
      for (const list of [...memory.withdrawn, ...memory.opened]) {
        const names = listSets(list);
        if (mirror.get(list.list) !== undefined || sets.ofList(list.list) !== undefined) continue;
        if (!present.has(names[4]) || !present.has(names[6])) continue;
        const effect = list.effect === "exempt" ? "exempt" : "deny";
        const pair = sets.addList(names, { kind: "withdrawn", list: list.list, effect });
        for (const set of setsOf(pair)) await openSet(loadParts, set);
        withdrawals.adopt({ list, pair });
      }
    },
    replaced(no, { isNewEpoch }, approved) {
      unloaded.set(no, { approved, isNewEpoch: isNewEpoch || unloaded.get(no)?.isNewEpoch === true });
      const { list } = mirror.get(no) ?? {};
      if (list !== undefined) void openNewest(list); // nobody on the stream waits for a list to be loaded (invariant 7)
    },
    async redefined() {
      for (const { list } of mirror.lists()) {
        const state = lists.get(list.list);
        if (state === undefined) continue;
        if (!isSupported(list, backend) || list.effect !== state.list.effect)
          await inTurn(list.list, () => letGo(state));
        else state.list = list;
      }
      void parts.syncRules();
      void openAll();
    },
    removed: ({ list }, approved) =>
      inTurn(list.list, async () => {
        const state = lists.get(list.list);
        if (state === undefined) return;
        lists.remove(list.list);
        cut.removed(list.list);
        await withdrawals.withdraw(state, approved);
      }),
    opened: () => lists.all().map(({ list }) => list),
    areAllOpen: () => mirror.lists().every(isOpen),
    rules: () => denyRules([...lists.all(), ...withdrawals.all()], parts.verdict),
  };
}

function newState(list: List, pair: KernelPair): ListState {
  return {
    ...{ list, pair },
    wishing: 0,
    judged: undefined,
    isReady: false,
    knownRevision: undefined,
    enforcedRevision: undefined,
    heldWide: new Set(),
  };
}

function exemptOrder({ list }: MirroredList): number {
  return list.effect === "exempt" ? 0 : 1;
}
