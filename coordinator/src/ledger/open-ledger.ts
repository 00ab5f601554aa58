/** Opens the ledger over a store: joins its parts, and answers from memory what needs no database. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import { lengthOf, type Prefix, widen } from "@fleetban/proto/model/prefix";
import type { Cover } from "../guardrails/cover.ts";
import { DEFAULT_GUARDRAILS } from "../guardrails/guardrails.ts";
import type { PolicySource } from "../policy/policy.ts";
import type { Store } from "../store/store.ts";
import { isPassing } from "../store/store-error.ts";
import { acceptable, planAddresses, selectProtected } from "./addresses.ts";
import type { Applied } from "./apply-changes.ts";
import { selectInside } from "./change-queries.ts";
import { decideAnew } from "./conclude.ts";
import { beginLedger } from "./epoch.ts";
import type { Ledger, ListHead, MirrorPosition, Outgoing, Placed, ProtectedAddress, Written } from "./ledger.ts";
import { LedgerClock } from "./ledger-clock.ts";
import { LedgerError } from "./ledger-error.ts";
import type { ListState } from "./list-state.ts";
import { Memory } from "./memory.ts";
import { createQuotas } from "./quota.ts";
import { readEvidence, subjectsOf } from "./read-evidence.ts";
import { keepPartitions } from "./retention.ts";
import { ackedSpools } from "./sighting-queries.ts";
import { runLedgerTasks } from "./tasks.ts";
import { type WriteRequest, writeChanges } from "./write-changes.ts";
import { type CommitObserver, createWriter } from "./writer.ts";

export interface LedgerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly policy: PolicySource;
  /** Asks the database for it: a commit has found that another one is in force. Absent = there never is another. */
  readonly readPolicy?: () => Promise<void>;
  /** Part of the public addresses that a deny list may cover without an operator's word. Absent = the default. */
  readonly ceiling?: () => Cover;
  /** Absent = nobody counts. */
  readonly observe?: CommitObserver;
}

const UNOBSERVED: CommitObserver = { sightings: () => undefined, committed: () => undefined };

/** The store stays open when the ledger has stopped; `close` ends the connections that are the ledger's own. */
export interface OpenLedger extends Ledger {
  close(): Promise<void>;
}

export async function openLedger(parts: LedgerParts): Promise<OpenLedger> {
  const { store, clock, random, log, policy, readPolicy = async () => undefined } = parts;
  const ceiling = parts.ceiling ?? (() => DEFAULT_GUARDRAILS.ceiling);
  await beginLedger(store, random);
  const ledgerClock = new LedgerClock(clock);
  const memory = new Memory({ store, clock, ledgerClock, random, log });
  await memory.load();
  await keepPartitions(store, ledgerClock.nowMs(), policy()).catch((error: unknown) => {
    if (!isPassing(error)) throw error;
    log.warn("ledger.task_failed", { task: "retention", error }); // another replica is at it: the task comes round
  });
  const sightingsLane = store.openLane();
  const lane = store.openLane();
  const writer = createWriter({
    ...{
      lane: sightingsLane,
      memory,
      clock,
      ledgerClock,
      random,
      log,
      policy,
      readPolicy,
      ceiling,
      observe: parts.observe ?? UNOBSERVED,
    },
    quotas: createQuotas(() => policy().quota),
  });
  const stopped = new AbortController();
  const writeParts = { store, lane, memory, clock, random, policy, readPolicy, ceiling };
  const write = (request: WriteRequest): Promise<Applied> => writeChanges(writeParts, request, stopped.signal);
  let addresses = await selectProtected(store.sql);
  const readAddresses = async () => {
    addresses = await selectProtected(store.sql);
  };

  function stop(reason: unknown): void {
    stopped.abort(reason);
    writer.stop(reason);
  }

  return {
    get epoch() {
      return memory.epoch;
    },
    get digestKey() {
      return memory.key;
    },
    get clockHeld() {
      return ledgerClock.isHeld;
    },
    get storeFull() {
      return writer.isStoreFull;
    },
    ledgerTimeMs: () => ledgerClock.nowMs(),
    lists: () => Array.from(memory.states, headOf),
    commitSightings: (batch) => writer.commit(batch),
    ackedSpools: (agentNo, incarnations) =>
      ackedSpools(
        store.sql,
        agentNo,
        incarnations.map((bytes) => Buffer.from(bytes).toString("hex")),
      ),
    async write(cause, plan, options): Promise<Written> {
      const { revision, changed, refused } = await write({
        cause,
        plan,
        ...(options === undefined ? {} : { options }),
      });
      return { revision, changed, refused };
    },
    async decideAnew(sql, prefixes, now) {
      const inForce = policy();
      const subjects = await subjectsOf(sql, prefixes, inForce);
      return decideAnew(await readEvidence(sql, subjects, inForce), subjects, inForce, now);
    },
    deltaSince: (list, from, features) => deltaSince(memory.state(list), from, features),
    async catchUp(revision) {
      if (memory.seen < revision) await memory.catchUp();
    },
    subscribe: (listener) => memory.subscribe(listener),
    get: (list, prefix) => memory.state(list).head.get(prefix),
    copyOf: (list) => memory.state(list).head.clone(),
    covering: (prefix) => covering(memory.states, prefix),
    async inside(prefix, limit) {
      return (await selectInside(store.sql, prefix, limit)).map(({ list, reasons: _, ...listing }) => ({
        list,
        listing,
      }));
    },
    async setAgentAddresses(agentNo, wanted) {
      let held: readonly Prefix[] = [];
      const touched: Prefix[] = [];
      const usable = acceptable(wanted);
      await write({
        cause: { kind: "claim", no: agentNo },
        touched,
        async plan(sql) {
          const denied = [...memory.lists.values()].filter(({ effect }) => effect === "deny").map(({ list }) => list);
          const plan = await planAddresses(sql, agentNo, usable, policy(), denied);
          held = plan.held;
          touched.splice(0, touched.length, ...plan.touched);
          return plan.changes;
        },
      });
      await readAddresses();
      return { held };
    },
    protectedAddresses: (): readonly ProtectedAddress[] => addresses,
    async run(signal) {
      const onAbort = () => stop(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        await runLedgerTasks({ ...writeParts, ledgerClock, log, write, readAddresses }, signal);
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    },
    async close() {
      stop(new LedgerError("ledger-stopped", "the ledger is closed"));
      await Promise.all([sightingsLane.close(), lane.close()]);
    },
  };
}

function headOf({ list, head, revision, committedAtMs }: ListState): ListHead {
  return { list, revision, digest: head.digest, listings: head.size, committedAtMs };
}

function deltaSince(state: ListState, from: MirrorPosition | undefined, features: readonly number[]): Outgoing {
  if (!state.list.requires.every((feature) => features.includes(feature))) return { kind: "withheld" };
  return state.since(from);
}

/** 33 or 129 look-ups a list. */
function covering(states: Iterable<ListState>, prefix: Prefix): Placed[] {
  const lengths = Array.from({ length: lengthOf(prefix) + 1 }, (_, length) => length);
  return Array.from(states).flatMap(({ list, head }) =>
    lengths.flatMap((length) => {
      const listing = head.get(length === lengthOf(prefix) ? prefix : widen(prefix, length));
      return listing === undefined ? [] : [{ list: list.list, listing }];
    }),
  );
}
