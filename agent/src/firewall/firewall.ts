/**
 * The firewall: keeps kernel sets and rules equal to what mirror, line and machine want, whatever happens to either.
 *
 * Joins the room's parts; what others call is here. Nobody waits for the kernel: what changes becomes wishes, the pump
 * carries them out, reconcile looks after them (invariants 3 to 7). Stopping leaves everything in force.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import { runTasks } from "@fleetban/kit/task-group";
import { type Digest, parseDigestKey } from "@fleetban/proto/model/digest";
import type { ListNo } from "@fleetban/proto/model/listing";
import { familyOf, type Prefix } from "@fleetban/proto/model/prefix";
import { prefixesOf } from "@fleetban/proto/model/sorted-columns";
import { secondsFromMs } from "@fleetban/proto/model/time";
import type { Files } from "../mirror/files.ts";
import type { MirrorChange, MirroredList } from "../mirror/held.ts";
import type { Mirror, Replaced } from "../mirror/mirror.ts";
import type { Backend, RuleState, Verdict } from "./backend.ts";
import { createBootFiles } from "./boot-files.ts";
import { bootLinesOf } from "./boot-lines.ts";
import { createCut } from "./cut.ts";
import { type AppliedList, appliedList, describeLists, refusedIn } from "./describe-firewall.ts";
import { noDrift } from "./drift.ts";
import { createEnforcer, type Enforcer } from "./enforcer.ts";
import type { FirewallState } from "./firewall-state.ts";
import type { EntryHook } from "./ipset/rule-text.ts";
import { kernelDigestOfList } from "./kernel-digest.ts";
import type { KernelSet } from "./kernel-set.ts";
import { RENEWAL_INTERVAL_MS } from "./leases.ts";
import { createListKeeper, type ListKeeper } from "./list-keeper.ts";
import { createListSets } from "./list-sets.ts";
import { openSet } from "./load-list.ts";
import { createMachineSets, type LocalOutcome } from "./machine-sets.ts";
import { DEFAULT_PACE, type PaceLimits } from "./pacing.ts";
import { type ProbeOutcome, probeKernel } from "./probe.ts";
import { DEFAULT_RECONCILE, type ReconcileTimes } from "./reconcile.ts";
import { createRenewal } from "./renewal.ts";
import { createRuleKeeper } from "./rule-keeper.ts";
import { createSavedState, type FirewallMemory } from "./saved-state.ts";
import { isReplacement } from "./set-names.ts";
import { createSetRegistry, setsOf } from "./set-registry.ts";
import { endingWith } from "./trial.ts";
import { type AskPlainList, createWanted, plainListOf, protectedReason } from "./wanted.ts";

export interface FirewallParts {
  readonly backend: Backend;
  readonly mirror: Mirror;
  readonly clock: Clock;
  /** Unix milliseconds of the ledger's clock. */
  readonly ledgerClock: { nowMs(): number };
  readonly random: Random;
  readonly log: Log;
  /** The agent's data directory: what must survive a restart, and the boot files. */
  readonly files: Files;
  /** A list's newest revision is wholly in the kernel. */
  readonly onEnforced?: (list: ListNo) => void;
}

export interface FirewallSettings {
  /** Entries that the deny lists together may take; 0 = no bound. */
  readonly capacity: number;
  /** Default: a sixteenth of the capacity, 1,024 at least. */
  readonly reserve?: number;
  readonly pace?: PaceLimits;
  /** Default: drop. */
  readonly verdict?: Verdict;
  /** Where the backend's rules stand, for the boot load; default: conntrack. */
  readonly hook?: EntryHook;
  /** For a list that names no lease. */
  readonly leaseSeconds: number;
  /** A local entry lives at most this long. */
  readonly localSeconds: number;
  readonly reconcile?: ReconcileTimes;
  /** Of a trial: nothing that bans outlasts it, and the boot load gets nothing. Default: no trial. */
  readonly trialSecondsLeft?: (() => number) | undefined;
}

export interface Firewall {
  /** Adopts what the kernel has. The mirror is loaded, `run` comes after. */
  start(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
  /** After `mirror.applyDelta`, with what it gave. */
  onDelta(list: ListNo, changes: readonly MirrorChange[], approved: boolean): void;
  /** After `mirror.replace`, with what it gave. Nobody waits for the list to be loaded. */
  onSnapshot(list: ListNo, replaced: Replaced, approved: boolean): void;
  /** After `mirror.setLists`. */
  onLists(): Promise<void>;
  /** After `mirror.removeList`, with what it gave. */
  onRemoved(removed: MirroredList, approved: boolean): Promise<void>;
  /** Whole, whenever looked up. Until the first time no rule is made. */
  setOwn(prefixes: readonly Prefix[]): void;
  addLocal(prefix: Prefix, seconds: number): LocalOutcome;
  /** Why it would not be enforced as a local entry, for people. */
  localRefusal(prefix: Prefix): string | undefined;
  removeLocal(prefix: Prefix): void;
  setLocalSeconds(seconds: number): void;
  setPace(pace: Pick<PaceLimits, "targetMs" | "cpuShare">): void;
  /** All urgent wishes of this moment are in the kernel, or will not get there. */
  settled(): Promise<void>;
  applied(list: ListNo): AppliedList | undefined;
  /** Reads the list's sets back from the kernel; what differs is repaired. Undefined = not enforced here, or unreadable. */
  kernelDigest(list: ListNo): Promise<Digest | undefined>;
  /** Rejects with ProbeError. */
  probe(address: Prefix): Promise<ProbeOutcome & { readonly ruleState: RuleState }>;
  state(): FirewallState;
}

const TEND_EVERY_MS = 10_000;
const SECRET_BYTES = 16;
const LEAST_RESERVE = 1_024;

export function createFirewall(parts: FirewallParts, settings: FirewallSettings): Firewall {
  const { backend, mirror, clock, ledgerClock, random, log, files } = parts;
  const { capacity, reserve = Math.max(LEAST_RESERVE, Math.floor(capacity / 16)) } = settings;
  const nowSeconds = () => clock.monotonicMs() / 1_000;
  const ledgerNow = () => secondsFromMs(ledgerClock.nowMs());
  const ledgerNowMs = () => ledgerClock.nowMs();
  const sets = createSetRegistry(parseDigestKey(random.bytes(SECRET_BYTES)));
  const lists = createListSets({ mirror, ledgerNow, fallbackLeaseSeconds: settings.leaseSeconds });
  const cut = createCut({ capacity, reserve }, clock);
  const saved = createSavedState(files, log);
  const drift = noDrift();
  let pace = settings.pace ?? DEFAULT_PACE;

  // The parts below need each other; what is asked before all are there is a mistake.
  const machine = createMachineSets({
    ...{ sets, nowSeconds },
    lanes: { wish: (lane, set, prefix) => enforcer.lanes.wish(lane, set, prefix) },
    exemptCover: lists.exemptCover,
    localSeconds: settings.localSeconds,
  });
  const wantedParts = {
    ...{ ledgerNow, cut },
    enforced: lists.enforced,
    isApprovedWide: (prefix: Prefix) => lists.approvedWide.has(prefix),
    isOwn: machine.isOwn,
    localSecondsLeft: machine.localSecondsLeft,
  };
  const untilItsEnd = createWanted(wantedParts);
  const { trialSecondsLeft } = settings;
  const wanted = trialSecondsLeft === undefined ? untilItsEnd : endingWith(untilItsEnd, trialSecondsLeft);
  const plainList: AskPlainList = (set) => (trialSecondsLeft === undefined ? plainListOf(wantedParts, set) : undefined);
  const exclusiveRules = <Result>(act: () => Promise<Result>) => enforcer.exclusive(act);
  const rules = createRuleKeeper({
    ...{ backend, clock, log, drift },
    exclusive: exclusiveRules,
    wanted: () => (waitsFor() === undefined ? keeper.rules() : undefined),
    waitsFor: () => waitsFor() ?? "the next look",
    onEnsured: () => boot.due(),
  });
  const boot = createBootFiles({
    ...{ files, clock, log },
    sets: () => sets.all().filter(({ isPresent, owner }) => isPresent && owner.kind !== "probe"),
    rules: rules.ensured,
    lines: trialSecondsLeft === undefined ? bootLinesOf(backend.name) : undefined,
    hook: settings.hook ?? "conntrack",
    isIdle: () => !enforcer.lanes.has("urgent") && !enforcer.lanes.has("bulk"),
  });
  const enforcer: Enforcer = createEnforcer({
    ...{ backend, clock, log, random, sets, drift, wanted, plainList, ledgerNowMs },
    protectedReason: protectedIn,
    limits: () => pace,
    onApplied: boot.record,
    onBatch,
    refill: (set) => (set.owner.kind === "list" ? keeper.refill(set) : machine.refill()),
    isRuled: ({ name }) => rules.isRuled(name),
    checkRules: rules.check,
  });
  const keeper: ListKeeper = createListKeeper({
    ...{ backend, clock, log, mirror, lists, sets, cut, enforcer, machine, wanted, plainList, ledgerNowMs, capacity },
    verdict: settings.verdict ?? "drop",
    syncRules: rules.sync,
    onMemory: () => saved.save(memory),
    onExpected: boot.expect,
    onEnforced: parts.onEnforced ?? (() => undefined),
  });
  const renewal = createRenewal({
    ...{ nowSeconds, lanes: enforcer.lanes, planAdd: enforcer.planAdd },
    leaseSeconds: ({ owner }) => (owner.kind === "list" ? (lists.enforced(owner.list)?.leaseSeconds ?? 0) : 0),
  });

  /** Until then whatever a former run or the boot load left stays as it is. */
  function waitsFor(): string | undefined {
    if (!lists.isExemptReady()) return "the exempt list";
    if (!machine.isOwnIn()) return "the machine's own addresses";
    return keeper.areAllOpen() ? undefined : "the lists that the kernel holds";
  }

  function protectedIn({ owner }: KernelSet, prefix: Prefix): string | undefined {
    const list = owner.kind === "list" ? lists.get(owner.list)?.list : undefined;
    return list === undefined ? undefined : protectedReason(list, prefix);
  }

  function onBatch(): void {
    keeper.advance();
    // Own addresses have just come in, perhaps: the last thing that rules wait for. It never rejects.
    if (rules.ensured() === undefined && rules.state().kind === "waiting") void rules.sync();
  }

  function memory(): FirewallMemory {
    const keeping = sets.all().filter(({ entries, owner }) => owner.kind === "list" && entries.keptCount > 0);
    const keptOf = ({ entries }: KernelSet) => [...prefixesOf([entries.columns((_end, isKept) => isKept)])];
    return {
      line: cut.line,
      approvedWide: [...lists.approvedWide],
      keptBySet: Object.fromEntries([...keeper.keptBefore, ...keeping.map((set) => [set.name, keptOf(set)] as const)]),
      withdrawn: keeper.withdrawals.all().map(({ list }) => list),
      opened: keeper.opened(),
    };
  }

  /** What has time: leases, a line that may grow, sets that have run out, lists that could not be opened. */
  async function tend(signal: AbortSignal): Promise<never> {
    let renewedAtMs = clock.monotonicMs();
    for (;;) {
      await clock.sleep(TEND_EVERY_MS, signal);
      await keeper.withdrawals.finish().catch((error: unknown) => log.warn("firewall.list_not_removed", { error }));
      await keeper.openAll();
      if (clock.monotonicMs() - renewedAtMs < RENEWAL_INTERVAL_MS) continue;
      renewedAtMs = clock.monotonicMs();
      renewal.look(sets.all());
      keeper.growLine();
    }
  }

  async function kernelDigest(no: ListNo): Promise<Digest | undefined> {
    const state = lists.get(no);
    if (state === undefined) return undefined;
    try {
      const found = {
        4: await enforcer.reconcile.readNow(state.pair[4]),
        6: await enforcer.reconcile.readNow(state.pair[6]),
      };
      const enforced = lists.enforced(no);
      return enforced === undefined ? undefined : await kernelDigestOfList({ clock, cut, ledgerNow }, enforced, found);
    } catch (error) {
      log.warn("firewall.set_not_read", { list: state.list.name, error });
      enforcer.reconcile.soon(); // a set that is gone is made again
      return undefined;
    }
  }

  return {
    async start() {
      for (const { name } of await backend.headers()) if (isReplacement(name)) await backend.destroySet(name);
      const opening = { backend, exclusive: enforcer.exclusive, readBack: enforcer.readBack, ledgerNowMs };
      for (const pair of [sets.own, sets.local, sets.probe]) {
        for (const set of setsOf(pair)) await openSet(opening, set);
      }
      machine.adopt();
      await keeper.restore(await saved.load());
      await keeper.openAll();
    },
    async run(signal) {
      const watch = backend.watchRules(() => void rules.check(true).then(undefined, ruleCheckFailed));
      try {
        const reconcile = (inner: AbortSignal) =>
          enforcer.reconcile.run(settings.reconcile ?? DEFAULT_RECONCILE, inner);
        await runTasks({ pump: enforcer.pump.run, reconcile, tend, boot: boot.run }, signal);
      } finally {
        watch.close();
        await Promise.all([saved.flush(), boot.flush()]);
      }
    },
    onDelta: keeper.changed,
    onSnapshot: keeper.replaced,
    onLists: keeper.redefined,
    onRemoved: keeper.removed,
    setOwn: machine.setOwn,
    addLocal: machine.addLocal,
    localRefusal: machine.localRefusal,
    removeLocal: machine.removeLocal,
    setLocalSeconds: machine.setLocalSeconds,
    setPace(changed) {
      pace = { ...pace, ...changed };
    },
    settled: enforcer.settled,
    applied: (no) => appliedList({ backend, mirror, lists, cut, withdrawals: keeper.withdrawals }, no),
    kernelDigest,
    async probe(address) {
      const set = sets.probe[familyOf(address)].name;
      const outcome = await enforcer.exclusive(() => probeKernel({ backend, clock }, set, address));
      return { ...outcome, ruleState: await backend.ruleState(rules.ensured() ?? []) };
    },
    state: () => ({
      backend: backend.name,
      via: backend.via,
      rules: rules.state(),
      lists: describeLists({ backend, mirror, lists, cut, withdrawals: keeper.withdrawals }),
      ownEntries: countIn(setsOf(sets.own)),
      localEntries: countIn(setsOf(sets.local)),
      batchEntries: enforcer.pump.batchEntries,
      applyP50Us: enforcer.applyUs.at(0.5),
      applyP99Us: enforcer.applyUs.at(0.99),
      drift: { ...drift },
      refusedEntries: lists.all().reduce((sum, { pair, heldWide }) => sum + refusedIn(pair) + heldWide.size, 0),
      failure: failureText(enforcer.failure()),
      bootFilesSavedAtMs: boot.savedAtMs,
    }),
  };

  /** The next look of reconcile says the same, and more. */
  function ruleCheckFailed(error: unknown): void {
    log.debug("firewall.rule_check_failed", { error });
  }
}

function countIn(sets: readonly KernelSet[]): number {
  return sets.reduce((sum, { entries }) => sum + entries.size, 0);
}

function failureText(cause: unknown): string | undefined {
  if (cause === undefined) return undefined;
  return cause instanceof Error ? cause.message : String(cause);
}
