/**
 * What this machine's kernel dropped, by listing: counted from the sets' own counters, summed, and reported upwards.
 *
 * A set that nobody has read for a while is read for this; what reconcile reads counts as well. Reading takes a
 * hundredth of the time at most. A report goes out after a look, once, and only when something was hit; one that is under
 * way when a stream breaks is lost, because sent again it might count twice. Sums outlive a stream, not the process.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { List } from "@fleetban/proto/model/listing";
import { isOpenEnded } from "@fleetban/proto/model/until";
import type { Hits } from "@fleetban/proto/wire/fleet";
import type { Backend, KernelEntry, SetName } from "../firewall/backend.ts";
import { LARGE_SET_ENTRIES } from "../firewall/read-back.ts";
import { LOCAL_SETS, listSets, type SetPair } from "../firewall/set-names.ts";
import type { Mirror } from "../mirror/mirror.ts";
import { createCountingBackend, type OnHit } from "./counting-backend.ts";
import { addCounts, type Counts, NO_COUNTS } from "./counts.ts";
import { createHitSums } from "./hit-sums.ts";
import { hitsMessages } from "./hits-message.ts";

export interface HitsParts {
  readonly backend: Backend;
  readonly mirror: Mirror;
  readonly clock: Clock;
  readonly log: Log;
}

export interface HitCounting {
  /** To be used in place of the one that was given. */
  readonly backend: Backend;
  /** Whether the kernel counts at all; without that "no hits" says nothing. */
  readonly isCounting: boolean;
  run(signal: AbortSignal): Promise<never>;
  /** What was hit since the last report; none before the next look. */
  takeReports(): readonly Hits[];
  /** How many prefixes a list a report names. */
  setTop(prefixes: number): void;
  /** Since the start, by name of the list; `local` = this machine's own bans. */
  totals(): ReadonlyMap<string, Counts>;
}

/** What a coordinator takes in one message is 1,024 counts. */
const MAX_TOP = 256;
const MAX_OPEN_ENDED = 512;
const DEFAULT_TOP = 20;
/** A hundred times as long as reading took. */
const SHARE_OF_TIME = 100;
const COUNTING: ReadonlySet<Backend["name"]> = new Set(["ipset", "nftables"]);

export function createHitCounting({ mirror, clock, log, ...parts }: HitsParts, everyMs: number): HitCounting {
  const sums = createHitSums();
  const totals = new Map<string, Counts>();
  const backend = createCountingBackend(parts.backend, clock, hearerOf);
  let top = DEFAULT_TOP;
  let sinceMs = clock.nowMs();
  let isReportDue = false;
  let tookMs = 0;
  let failures = 0;

  function hearerOf(set: SetName): OnHit | undefined {
    // Not reported: the coordinator was told of that ban as a sighting.
    if (isOf(LOCAL_SETS, set)) return (_prefix, counts) => count("local", counts);
    const mirrored = mirror.lists().find(({ list }) => isDenied(list) && isOf(listSets(list), set));
    if (mirrored === undefined) return undefined;
    const { list, name } = mirrored.list;
    return (prefix, counts) => {
      count(name, counts);
      const listing = mirror.get(list)?.held?.blocklist.get(prefix);
      if (listing === undefined) return; // an entry that runs out with its lease
      sums.add({ list, rank: listing.rank, prefix, isOpenEnded: isOpenEnded(listing.until), counts });
    };
  }

  function count(name: string, counts: Counts): void {
    totals.set(name, addCounts(totals.get(name) ?? NO_COUNTS, counts));
  }

  /** Those that were not read lately anyway. */
  function dueSets(present: ReadonlyMap<SetName, number>): readonly SetName[] {
    const denied = mirror.lists().filter(({ list }) => isDenied(list));
    const names = [...denied.map(({ list }) => listSets(list)), LOCAL_SETS].flatMap((pair) => [pair[4], pair[6]]);
    const isDue = (name: SetName) =>
      clock.monotonicMs() - (backend.countedAtMs(name) ?? Number.NEGATIVE_INFINITY) >= everyMs / 2;
    return names.filter((name) => present.has(name) && isDue(name));
  }

  /** Of a large set what is listed, where that is cheaper than reading it whole. */
  function entriesOf(name: SetName, entries: number): AsyncIterable<readonly KernelEntry[]> {
    if (entries < LARGE_SET_ENTRIES || backend.readEntries === undefined) return backend.readSet(name);
    const mirrored = mirror.lists().find(({ list }) => isOf(listSets(list), name));
    if (mirrored?.held === undefined) return backend.readSet(name);
    const family = listSets(mirrored.list)[4] === name ? 4 : 6;
    return backend.readEntries(name, mirrored.held.blocklist.unsortedColumnsOf(family));
  }

  async function look(signal: AbortSignal): Promise<void> {
    const begunMs = clock.monotonicMs();
    const filled = (await backend.headers()).filter(({ entries }) => entries !== 0);
    const sizes = new Map(filled.map(({ name, entries = Number.POSITIVE_INFINITY }) => [name, entries]));
    for (const name of dueSets(sizes)) {
      for await (const _piece of entriesOf(name, sizes.get(name) ?? 0)) signal.throwIfAborted();
    }
    tookMs = clock.monotonicMs() - begunMs;
    isReportDue = true;
  }

  async function attempt(signal: AbortSignal): Promise<void> {
    try {
      await look(signal);
      if (failures > 0) log.info("hits.counting_recovered", { failures });
      failures = 0;
    } catch (error) {
      signal.throwIfAborted();
      if (failures === 0) log.warn("hits.set_not_read", { error });
      failures += 1;
    }
  }

  return {
    backend,
    isCounting: COUNTING.has(backend.name),
    async run(signal) {
      for (;;) {
        await clock.sleep(Math.max(everyMs, tookMs * SHARE_OF_TIME), signal);
        await attempt(signal);
      }
    },
    takeReports() {
      if (!isReportDue) return [];
      isReportDue = false;
      const taken = sums.take(top, MAX_OPEN_ENDED);
      if (taken === undefined) return [];
      const untilMs = clock.nowMs();
      const messages = hitsMessages(taken, { sinceMs, untilMs });
      sinceMs = untilMs;
      return messages;
    },
    setTop(prefixes) {
      top = Math.min(prefixes, MAX_TOP);
    },
    totals: () => new Map(totals),
  };
}

/** The probe's list is hit by probes only. */
function isDenied({ effect, documentationOnly }: List): boolean {
  return effect === "deny" && !documentationOnly;
}

function isOf(pair: SetPair, set: SetName): boolean {
  return set === pair[4] || set === pair[6];
}
