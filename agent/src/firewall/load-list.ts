/**
 * Brings a whole list into its sets: at start, with its first snapshot, with every further one.
 *
 * What the kernel holds already is read and stays (no open window); what the list does not want goes, unless the brake
 * holds it; the rest follows by a sweep. Deny lists wait until exempt is in the kernel (PROTOCOL rules 3, 5, 8).
 */

import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { createBackgroundTurns } from "@fleetban/kit/turns";
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import { LIST_FEEDS, type List } from "@fleetban/proto/model/listing";
import { type Family, familyOf, type Prefix } from "@fleetban/proto/model/prefix";
import { scannedTextOf } from "@fleetban/proto/model/prefix-scan";
import { blankWords, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import { type PrefixColumns, pickRows, prefixesOf, readPrefix } from "@fleetban/proto/model/sorted-columns";
import type { Held } from "../mirror/held.ts";
import type { Backend } from "./backend.ts";
import { type Brake, isTooWideToExempt } from "./brake.ts";
import type { RunPlan } from "./entry-run.ts";
import { isAfter, NO_TIMEOUT } from "./entry-table.ts";
import type { Exclusive } from "./exclusive.ts";
import { type Growth, roomFor } from "./growth.ts";
import type { KernelSet } from "./kernel-set.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { ListSets, ListState } from "./list-sets.ts";
import type { PlannedOp } from "./order-batch.ts";
import type { Named, ReadBack } from "./read-back.ts";
import { setsOf } from "./set-registry.ts";
import { SWEEP_ORDER, type SweepSpec } from "./sweep.ts";
import type { AskPlainList, AskWanted } from "./wanted.ts";

export interface LoadParts {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly log: Log;
  readonly lanes: Lanes;
  readonly lists: ListSets;
  readonly growth: Growth;
  readonly brake: Brake;
  readonly exclusive: Exclusive;
  readonly readBack: ReadBack;
  readonly wanted: AskWanted;
  /** Undefined: ask `wanted` for each entry. */
  readonly plainList: AskPlainList;
  /** Plans no removal: a sweep over listings must not carry out what the brake has not judged. */
  readonly planAdd: (set: KernelSet, prefix: Prefix) => PlannedOp | undefined;
  readonly planAdds: (set: KernelSet, columns: PrefixColumns, from: number, entries: number) => RunPlan | undefined;
  readonly ledgerNowMs: () => number;
  /** The most entries that the lists together may take; 0 = no bound. */
  readonly capacity: number;
  /** From here on another blocklist is wanted. */
  readonly onJudged: () => void;
  readonly onReady: (state: ListState) => void;
  /** So many entries are about to be added. */
  readonly onExpected: (entries: number) => void;
  /** Something that must survive a restart changed. */
  readonly onMemory: () => void;
}

/** How a blocklist came to be the one to enforce. */
export interface LoadFacts {
  readonly approved: boolean;
  readonly isNewEpoch: boolean;
}

/** Between two looks at the clock: some 0.02 ms. */
const ROWS_A_LOOK = 128;

/** Makes the set, or takes over what is there: of a list, mostly what the mirror says. */
export async function openSet(
  parts: Pick<LoadParts, "backend" | "exclusive" | "readBack" | "ledgerNowMs">,
  set: KernelSet,
  blocklist?: Blocklist,
): Promise<void> {
  if (set.isPresent) return;
  const { backend, readBack } = parts;
  const maxEntries = roomFor(blocklist?.sizeOf(set.family) ?? 0);
  const made = await parts.exclusive(() => backend.createSet({ name: set.name, family: set.family, maxEntries }));
  set.maxEntries = maxEntries;
  if (made === "exists") {
    const header = (await backend.headers()).find(({ name }) => name === set.name);
    set.maxEntries = header?.maxEntries ?? maxEntries;
    const likely = blocklist === undefined ? undefined : listedIn(blocklist, set.family);
    const entries = header?.entries;
    // To ask for a million where there are few takes longer than to list the few.
    const isLikely = likely !== undefined && entries !== undefined && entries > likely.count / 2;
    set.entries = await readBack.read(set, isLikely ? { likely, entries } : undefined);
  }
  set.checkedAtMs = parts.ledgerNowMs();
  set.isPresent = true;
}

function listedIn(blocklist: Blocklist, family: Family): Named {
  return { count: blocklist.sizeOf(family), columns: () => blocklist.unsortedColumnsOf(family) };
}

function laneOfList({ effect }: Pick<List, "effect">): Lane {
  return effect === "exempt" ? "urgent" : "bulk";
}

/** The list's sets are open. Judges what is to go, then wishes all of it. */
export async function loadList(parts: LoadParts, state: ListState, held: Held, facts: LoadFacts): Promise<void> {
  rememberWide(parts, state, held, facts.approved);
  for (const set of setsOf(state.pair)) forgetKeptThatIsListed(set, held);
  const unlisted = await unlistedIn(parts, state, held);
  const count = unlisted.reduce((sum, columns) => sum + columns.count, 0);
  if (isHeldBack(parts, state, count, facts)) keepAll(parts, state, [...prefixesOf(unlisted)]);
  state.judged = held.blocklist;
  parts.onJudged();
  const newest = parts.lists.enforced(state.list.list)?.held;
  if (newest === undefined) return; // another snapshot came meanwhile: it is loaded next
  state.knownRevision = newest.revision;
  await sweepList(parts, state, newest);
}

/** Sweeps alone: what is in the kernel and not wanted, then what is listed. */
async function sweepList(parts: LoadParts, state: ListState, held: Held): Promise<void> {
  const lane = laneOfList(state.list);
  const listed = held.blocklist.unsortedColumns();
  const present = setsOf(state.pair).reduce((sum, { entries }) => sum + entries.size, 0);
  parts.onExpected(expectedIn(parts, held.blocklist.size) - present);
  for (const set of setsOf(state.pair)) {
    await makeRoom(parts, set, held);
    const columns = await unwantedIn(parts, set);
    if (columns.count > 0) {
      parts.lanes.sweep({ lane, order: SWEEP_ORDER.removals, set, columns, holdsRevision: true });
    }
  }
  let open = listed.length;
  for (const columns of listed) {
    const set = state.pair[columns.family];
    set.entries.reserve(expectedIn(parts, columns.count) + set.entries.keptCount); // what is removed goes before
    const plan = (prefix: Prefix) => parts.planAdd(set, prefix); // what goes, the brake has judged above
    const finish = async () => {
      open -= 1;
      if (open === 0) parts.onReady(state);
    };
    sweepListed(parts, state, columns, { plan, finish });
  }
}

/** Rows of the list that may not be in the kernel, or not for long enough; without a `plan` what fell below the line goes, too. */
export function sweepListed(
  { lanes, planAdds }: Pick<LoadParts, "lanes" | "planAdds">,
  { list, pair }: ListState,
  columns: PrefixColumns,
  how: Pick<SweepSpec, "plan" | "finish"> = {},
): void {
  const set = pair[columns.family];
  const order = list.list === LIST_FEEDS ? SWEEP_ORDER.feeds : SWEEP_ORDER.load;
  const planRun = (rows: PrefixColumns, from: number, entries: number) => planAdds(set, rows, from, entries);
  lanes.sweep({ lane: laneOfList(list), order, set, columns, holdsRevision: true, planRun, ...how });
}

/** A set is made large enough for its list before the list comes (keeps invariant 7: a full set refuses fresh bans). */
export async function makeRoom(
  { growth, capacity }: Pick<LoadParts, "growth" | "capacity">,
  set: KernelSet,
  held: Held | undefined,
): Promise<void> {
  const expected = expectedIn({ capacity }, held?.blocklist.sizeOf(set.family) ?? 0);
  if (expected > set.maxEntries) await growth.grow(set, expected);
}

function expectedIn({ capacity }: Pick<LoadParts, "capacity">, listed: number): number {
  return capacity > 0 ? Math.min(listed, capacity) : listed;
}

/** Entries in force that no listing stands behind, those without timeout (not ours) apart. */
async function unlistedIn({ clock }: LoadParts, { pair }: ListState, held: Held): Promise<readonly PrefixColumns[]> {
  const now = clock.monotonicMs() / 1_000;
  const isListed = (words: Readonly<PrefixWords>) => held.blocklist.untilOfWords(words) !== undefined;
  const unlisted: PrefixColumns[] = [];
  for (const { entries } of setsOf(pair)) {
    const ending = entries.columns((end, isKept) => end !== NO_TIMEOUT && end > now && !isKept);
    unlisted.push(await rowsWhere(clock, ending, (words) => !isListed(words)));
  }
  return unlisted;
}

async function unwantedIn({ clock, wanted, plainList }: LoadParts, set: KernelSet): Promise<PrefixColumns> {
  const plain = plainList(set);
  return await rowsWhere(clock, set.entries.columns(), (words) => {
    // On a plain list what is listed is wanted, or left to its timeout.
    if (plain?.blocklist.untilOfWords(words) !== undefined) return false;
    return wanted(set, scannedTextOf(words) as Prefix).kind === "absent";
  });
}

async function rowsWhere(
  clock: Clock,
  columns: PrefixColumns,
  isChosen: (words: Readonly<PrefixWords>) => boolean,
): Promise<PrefixColumns> {
  const turns = createBackgroundTurns(clock);
  const words = blankWords();
  const rows: number[] = [];
  for (let row = 0; row < columns.count; row += 1) {
    readPrefix(columns, row, words);
    if (isChosen(words)) rows.push(row);
    if (row % ROWS_A_LOOK === 0 && turns.isOver()) await turns.next();
  }
  return pickRows(columns, rows);
}

function isHeldBack(parts: LoadParts, { list, pair }: ListState, unlisted: number, facts: LoadFacts): boolean {
  if (unlisted === 0) return false;
  // What another epoch exempted stays beside the new for a lease, however little it is.
  if (list.effect === "exempt") return facts.isNewEpoch;
  return !facts.approved && parts.brake.holds(list.list, unlisted, inForce(parts, pair));
}

function inForce({ clock }: LoadParts, pair: ListState["pair"]): number {
  const now = clock.monotonicMs() / 1_000;
  return setsOf(pair).reduce((sum, { entries }) => sum + entries.countAfter(now), 0);
}

export function keepAll(
  parts: Pick<LoadParts, "log" | "onMemory">,
  { list, pair }: ListState,
  prefixes: readonly Prefix[],
): void {
  for (const prefix of prefixes) pair[familyOf(prefix)].entries.keep(prefix);
  parts.log.warn("firewall.removals_held", {
    list: list.name,
    entries: prefixes.length,
    remedy: "they end with their leases",
  });
  parts.onMemory();
}

function forgetKeptThatIsListed({ entries }: KernelSet, held: Held): void {
  for (const prefix of prefixesOf([entries.columns((_end, isKept) => isKept)])) {
    if (held.blocklist.has(prefix)) entries.put(prefix, entries.endOf(prefix) ?? NO_TIMEOUT);
  }
}

function rememberWide({ lists, onMemory }: LoadParts, state: ListState, held: Held, approved: boolean): void {
  if (state.list.effect !== "exempt") return;
  state.heldWide.clear();
  for (const { prefix } of held.blocklist.listings()) {
    if (!isTooWideToExempt(prefix)) continue;
    // Without the memory of it: what is in the kernel was approved once.
    if (approved || isAlreadyIn(state, prefix)) lists.approvedWide.add(prefix);
    else if (!lists.approvedWide.has(prefix)) state.heldWide.add(prefix);
  }
  onMemory();
}

function isAlreadyIn({ pair }: ListState, prefix: Prefix): boolean {
  const end = pair[familyOf(prefix)].entries.endOf(prefix);
  return end !== undefined && isAfter(end, 0);
}
