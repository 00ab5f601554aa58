/**
 * Editions of the lists that are asked for: made when somebody asks and something has changed, shared by everybody who asks
 * for the same, and never so often that the making keeps the process busy.
 *
 * An edition is a function of the ledger's lists at one revision, of what feeds' terms allow, and of the time: listings and
 * holes that have ended are not in it. What is made of a list once, its sorted columns, serves every edition it is in.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { finishInTurns } from "@fleetban/kit/slices";
import { createTurns } from "@fleetban/kit/turns";
import { type Epoch, LIST_EXEMPT, type List, type ListNo, type Revision } from "@fleetban/proto/model/listing";
import type { ListingColumns } from "@fleetban/proto/model/sorted-columns";
import { secondsFromMs, unixMs } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import type { Ledger } from "../ledger/ledger.ts";
import { type Edition, type EditionKey, keyText } from "./edition.ts";
import { makeEdition } from "./make-edition.ts";
import type { Publishable, Terms } from "./terms.ts";

export interface EditionsParts {
  readonly ledger: Pick<Ledger, "lists" | "copyOf" | "ledgerTimeMs" | "epoch">;
  readonly terms: Terms;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Editions {
  /** The newest, made now if need be. Rejects when there is none and none can be made. */
  current(key: EditionKey): Promise<Edition>;
  /** What the key's editions are made of now, and `exempt`. */
  sources(key: EditionKey): Promise<{
    readonly lists: readonly (readonly ListingColumns[])[];
    readonly exempt: readonly ListingColumns[];
  }>;
  /** For metrics: the editions held. */
  held(): readonly Edition[];
  /** Frees what nobody has asked for in a while. */
  forgetUnused(): void;
}

interface Sorted {
  readonly epoch: Epoch;
  readonly revision: Revision;
  readonly families: Promise<readonly ListingColumns[]>;
}

/** What is kept of one key. */
interface Shelf {
  edition: Edition | undefined;
  /** What the edition was made of, as text: equal = it is right still. */
  basis: string;
  /** Not made again before, by the monotonic clock. */
  restsUntilMs: number;
  making: Promise<Edition> | undefined;
  usedAtMs: number;
}

const SHELVES_MAX = 16;
/** Of the time, making takes a tenth at most. */
const REST_FACTOR = 9;
const REST_MAX_MS = 60_000;
const UNUSED_MS = 900_000;

export function createEditions(parts: EditionsParts): Editions {
  const { ledger, terms, clock, log } = parts;
  const shelves = new Map<string, Shelf>();
  const sorted = new Map<ListNo, Sorted>();

  function shelfOf(key: EditionKey): Shelf {
    const text = keyText(key);
    const shelf = shelves.get(text) ?? {
      ...{ edition: undefined, basis: "", restsUntilMs: 0, making: undefined },
      usedAtMs: 0,
    };
    shelf.usedAtMs = clock.monotonicMs();
    shelves.set(text, shelf);
    if (shelves.size > SHELVES_MAX) {
      const [oldest] = [...shelves].sort(([, one], [, other]) => one.usedAtMs - other.usedAtMs);
      if (oldest !== undefined) shelves.delete(oldest[0]);
    }
    return shelf;
  }

  /** No list moves on between two copies: nothing is awaited here. */
  function sortedLists(wanted: readonly ListNo[]): Map<ListNo, Promise<readonly ListingColumns[]>> {
    const revisions = new Map(ledger.lists().map(({ list, revision }) => [list.list, revision]));
    return new Map(
      wanted.map((list) => {
        const known = sorted.get(list);
        const revision = revisions.get(list) as Revision;
        if (known?.revision === revision && known.epoch === ledger.epoch) return [list, known.families];
        const copy = ledger.copyOf(list);
        const families = finishInTurns(copy.columnsInSlices(), createTurns(clock));
        families.catch(() => sorted.delete(list)); // whoever awaits it is told
        sorted.set(list, { epoch: ledger.epoch, revision, families });
        return [list, families];
      }),
    );
  }

  async function make(key: EditionKey, lists: readonly List[], publishable: readonly Publishable[]): Promise<Edition> {
    const copied = sortedLists([...key.lists, LIST_EXEMPT]);
    const now = secondsFromMs(unixMs(ledger.ledgerTimeMs()));
    const [epoch, revision] = [ledger.epoch, newestOf(ledger)];
    const listParts = [];
    for (const [at, list] of key.lists.entries()) {
      listParts.push({ families: (await copied.get(list)) ?? [], only: publishable[at]?.only });
    }
    const exempt = (await copied.get(LIST_EXEMPT)) ?? [];
    const made = await makeEdition(listParts, exempt, now, createTurns(clock));
    const size = made.families.reduce((sum, { count }) => sum + count, 0);
    const names = lists.map(({ name }) => name);
    const no = (shelfOf(key).edition?.no ?? 0) + 1;
    if (made.leftOut > 0) log.warn("published.listings_left_out", { lists: names, listings: made.leftOut });
    return { ...made, no, lists: names, isForOwnUse: key.isForOwnUse, size, epoch, revision, asOf: now };
  }

  async function renew(key: EditionKey, shelf: Shelf): Promise<Edition> {
    const begunMs = clock.monotonicMs();
    const heads = ledger.lists();
    const wanted = key.lists.map((no) => heads.find(({ list }) => list.list === no));
    const known = wanted.filter((head) => head !== undefined);
    const publishable: Publishable[] = [];
    for (const { list, revision } of known) {
      publishable.push(key.isForOwnUse ? { no: 0, only: undefined } : await terms.publishable(list.list, revision));
    }
    const exempt = heads.find(({ list }) => list.list === LIST_EXEMPT);
    const basis = JSON.stringify([
      ledger.epoch,
      ...[...known, exempt].map((head) => head?.revision),
      ...publishable.map(({ no }) => no),
    ]);
    const { edition } = shelf;
    const now = secondsFromMs(unixMs(ledger.ledgerTimeMs()));
    if (edition !== undefined && shelf.basis === basis && !isExpired(edition.goodUntil, now)) return edition;
    const made = await make(
      { ...key, lists: known.map(({ list }) => list.list) },
      known.map(({ list }) => list),
      publishable,
    );
    shelf.edition = made;
    shelf.basis = basis;
    const tookMs = clock.monotonicMs() - begunMs;
    shelf.restsUntilMs = clock.monotonicMs() + Math.min(tookMs * REST_FACTOR, REST_MAX_MS);
    return made;
  }

  return {
    async current(key) {
      const shelf = shelfOf(key);
      if (shelf.edition !== undefined && clock.monotonicMs() < shelf.restsUntilMs) return shelf.edition;
      shelf.making ??= renew(key, shelf).finally(() => {
        shelf.making = undefined;
      });
      try {
        return await shelf.making;
      } catch (error) {
        // What was right a moment ago is better than nothing; it has its ends in it.
        log.warn("published.edition_failed", { lists: key.lists, error });
        if (shelf.edition === undefined) throw error;
        return shelf.edition;
      }
    },
    async sources(key) {
      const copied = sortedLists([...key.lists, LIST_EXEMPT]);
      const lists = await Promise.all(key.lists.map((list) => copied.get(list) ?? []));
      return { lists, exempt: (await copied.get(LIST_EXEMPT)) ?? [] };
    },
    forgetUnused() {
      for (const [text, shelf] of shelves) {
        if (clock.monotonicMs() - shelf.usedAtMs > UNUSED_MS) shelves.delete(text);
      }
      if (shelves.size === 0) sorted.clear();
    },
    held: () => [...shelves.values()].flatMap(({ edition }) => (edition === undefined ? [] : [edition])),
  };
}

function newestOf(ledger: Pick<Ledger, "lists">): Revision {
  return Math.max(0, ...ledger.lists().map(({ revision }) => revision)) as Revision;
}
