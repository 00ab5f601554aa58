/**
 * What a replica holds of all lists, and how it keeps up: its own commits as they come back, everybody else's by
 * reading the change log. All lists stand at the same point of the ledger's history (PROTOCOL §5).
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { DigestKey } from "@fleetban/proto/model/digest";
import type { Epoch, List, ListNo, Revision } from "@fleetban/proto/model/listing";
import { decodeSnapshotBody, type Snapshot } from "@fleetban/proto/wire/snapshot";
import type { Store } from "../store/store.ts";
import type { ListCommit } from "./apply-changes.ts";
import { renewEpoch } from "./epoch.ts";
import {
  type LedgerRow,
  selectCommits,
  selectLedger,
  selectLists,
  selectNewestKept,
  selectNewestSnapshots,
} from "./history-queries.ts";
import type { LedgerClock } from "./ledger-clock.ts";
import { LedgerError } from "./ledger-error.ts";
import { ListState } from "./list-state.ts";

export interface MemoryParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly ledgerClock: LedgerClock;
  readonly random: Random;
  readonly log: Log;
}

const REVISIONS_A_READ = 64;
const SNAPSHOTS_HELD = 2;
const LOAD_TRIES = 5;

export class Memory {
  readonly #parts: MemoryParts;
  readonly #listeners = new Set<(lists: readonly ListNo[], revision: Revision) => void>();
  #states = new Map<ListNo, ListState>();
  #lists = new Map<ListNo, List>();
  #epoch = "" as Epoch;
  #key = new Uint32Array() as unknown as DigestKey;
  /** Everything up to here is in it. */
  #seen = 0 as Revision;
  #listsVersion = 0;
  /** It differed from the ledger, and has to be loaded anew. */
  #isBroken = false;
  #following: Promise<void> | undefined;

  constructor(parts: MemoryParts) {
    this.#parts = parts;
  }

  get epoch(): Epoch {
    return this.#epoch;
  }

  get key(): DigestKey {
    return this.#key;
  }

  get seen(): Revision {
    return this.#seen;
  }

  get lists(): ReadonlyMap<ListNo, List> {
    return this.#lists;
  }

  get states(): Iterable<ListState> {
    return this.#states.values();
  }

  state(list: ListNo): ListState {
    const state = this.#states.get(list);
    if (state === undefined) throw new LedgerError("unknown-list", `list ${list}: there is none with that number`);
    return state;
  }

  subscribe(listener: (lists: readonly ListNo[], revision: Revision) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Everything anew, from the newest kept snapshots and the changes since. */
  async load(): Promise<void> {
    const ledger = await this.#readLedger();
    const states = new Map<ListNo, ListState>();
    const lists = new Map<ListNo, List>();
    for (const { list, committedAtMs } of await selectLists(this.#parts.store.sql)) {
      lists.set(list.list, list);
      states.set(list.list, await this.#loadState(list, ledger, committedAtMs));
    }
    this.#states = states;
    this.#lists = lists;
    this.#epoch = ledger.epoch;
    this.#key = ledger.key;
    this.#seen = ledger.revision;
    this.#listsVersion = ledger.listsVersion;
    this.#isBroken = false;
    this.#tell([...lists.keys()]);
  }

  /** A commit of this process. False = others came before it, and have to be read. */
  offer(commits: readonly ListCommit[]): boolean {
    const [first] = commits;
    if (first === undefined || first.revision <= this.#seen) return true;
    if (first.revision !== this.#seen + 1 || this.#isBroken) return false;
    return this.#follow(commits);
  }

  /** Reads what there is to read; one reader at a time. Whoever asks meanwhile gets a reading that began after it asked. */
  async catchUp(): Promise<void> {
    const before = this.#following;
    if (before !== undefined) await before.catch(() => undefined);
    this.#following ??= this.#read().finally(() => {
      this.#following = undefined;
    });
    return this.#following;
  }

  async #read(): Promise<void> {
    const { store, random, log } = this.#parts;
    const served = this.#seen; // a commit of this process may come in while the ledger is read
    const ledger = await this.#readLedger();
    if (ledger.epoch !== this.#epoch || this.#isBroken) return this.load();
    if (ledger.revision < served) {
      log.error("ledger.commits_lost", { served, found: ledger.revision });
      await renewEpoch(store, random, ledger.epoch, served);
      return this.load();
    }
    if (ledger.listsVersion !== this.#listsVersion) await this.#readLists(ledger);
    while (this.#seen < ledger.revision) {
      const commits = await selectCommits(
        store.sql,
        [...this.#lists.keys()],
        this.#seen,
        ledger.revision,
        REVISIONS_A_READ,
      );
      if (commits.length === 0) return this.load(); // pruned: this replica was away for long
      for (const group of Map.groupBy(commits, ({ revision }) => revision).values()) {
        if (!this.#follow(group)) return this.load();
      }
    }
    await this.#readKept();
  }

  /** A policy has added lists, or given one another reach. */
  async #readLists(ledger: LedgerRow): Promise<void> {
    for (const { list, committedAtMs } of await selectLists(this.#parts.store.sql)) {
      const known = this.#states.get(list.list);
      if (known === undefined) this.#states.set(list.list, await this.#loadState(list, ledger, committedAtMs));
      else known.list = list;
      this.#lists.set(list.list, list);
    }
    this.#listsVersion = ledger.listsVersion;
  }

  async #readKept(): Promise<void> {
    const { sql } = this.#parts.store;
    for (const [list, revision] of await selectNewestKept(sql)) {
      const state = this.#states.get(list);
      if (state === undefined || revision <= state.newestKept.revision) continue;
      for (const snapshot of await selectNewestSnapshots(sql, list, this.#epoch, 1)) state.addKept(snapshot);
    }
  }

  /** One revision's commits. False = the memory is of no more use. */
  #follow(commits: readonly ListCommit[]): boolean {
    const revision = commits[0]?.revision ?? this.#seen;
    if (revision <= this.#seen) return true;
    for (const commit of commits) {
      if (this.#states.get(commit.list)?.follow(commit) === true) continue;
      this.#isBroken = true;
      this.#parts.log.error("ledger.head_differed", { list: commit.list, revision, digest: commit.digest });
      return false;
    }
    this.#seen = revision;
    this.#tell(commits.map(({ list }) => list));
    return true;
  }

  #tell(lists: readonly ListNo[]): void {
    for (const listener of this.#listeners) listener(lists, this.#seen);
  }

  async #readLedger(): Promise<LedgerRow> {
    const { store, clock, ledgerClock } = this.#parts;
    const beforeMs = clock.monotonicMs();
    const ledger = await selectLedger(store.sql);
    if (ledger === undefined) throw new Error("internal error: the ledger has no row");
    ledgerClock.sample(ledger.clockMs, beforeMs, clock.monotonicMs());
    return ledger;
  }

  /** Tried again where a snapshot or the changes behind it were pruned between two reads. */
  async #loadState(list: List, ledger: LedgerRow, committedAtMs: number): Promise<ListState> {
    for (let attempt = 1; ; attempt += 1) {
      const kept = await selectNewestSnapshots(this.#parts.store.sql, list.list, ledger.epoch, SNAPSHOTS_HELD);
      const [oldest, ...newer] = kept;
      if (oldest === undefined) throw new Error(`internal error: list ${list.name} has no snapshot`);
      const state = await this.#stateFrom(list, ledger, [oldest, ...newer]);
      state?.noteCommitted(committedAtMs);
      if (state !== undefined) return state;
      if (attempt === LOAD_TRIES) throw new Error(`internal error: list ${list.name} can't be made from its snapshots`);
    }
  }

  async #stateFrom(list: List, ledger: LedgerRow, kept: [Snapshot, ...Snapshot[]]): Promise<ListState | undefined> {
    const newest = kept.at(-1) ?? kept[0];
    const head = await decodeSnapshotBody(newest.body, { ...newest, key: ledger.key });
    const state = new ListState(list, ledger.epoch, head, kept);
    for (let from = kept[0].revision; ; ) {
      const commits = await selectCommits(this.#parts.store.sql, [list.list], from, ledger.revision, REVISIONS_A_READ);
      if (commits.some((commit) => !state.follow(commit))) return undefined;
      const last = commits.at(-1);
      if (last === undefined) return state;
      from = last.revision;
    }
  }
}
