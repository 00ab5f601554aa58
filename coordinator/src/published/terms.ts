/**
 * Which listings may be published: those that rest on more than feeds whose terms forbid it (FACTS on AbuseIPDB).
 *
 * Asked the other way round, "which may", so that a listing nobody has looked at yet is kept back, not given away. Only
 * lists that such a feed writes to are looked through, at most once in a while; every other list may be published whole.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { ListNo, Revision } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { scanned, scanPrefix } from "@fleetban/proto/model/prefix-scan";
import type { PrefixColumns } from "@fleetban/proto/model/sorted-columns";
import { licenceOf, mayBePublished } from "../feeds/licence.ts";
import type { Store } from "../store/store.ts";
import { ColumnBuilder } from "./column-builder.ts";
import { type FeedTerms, selectFeedTerms, selectFreeListings } from "./queries.ts";

export interface TermsParts {
  readonly store: Pick<Store, "sql">;
  readonly clock: Clock;
}

/** Of one list. `no` changes with the answer. */
export interface Publishable {
  readonly no: number;
  /** Undefined = everything. */
  readonly only: readonly PrefixColumns[] | undefined;
}

export interface Terms {
  /** `revision` of the list in memory. */
  publishable(list: ListNo, revision: Revision): Promise<Publishable>;
  /** Feeds whose listings stand on these lists and may be published if their publisher is named. */
  credits(lists: readonly ListNo[]): Promise<readonly string[]>;
}

interface Known extends Publishable {
  readonly revision: Revision;
  readonly feeds: string;
  readonly atMs: number;
}

const ROWS_A_PAGE = 10_000;
const FEEDS_KEPT_MS = 5_000;
/** A listing changes its reasons without a new revision of its list. */
const LOOKED_AGAIN_MS = 300_000;
/** Where the list changes all the time. */
const LOOKED_AT_MOST_EACH_MS = 30_000;

export function createTerms({ store, clock }: TermsParts): Terms {
  const known = new Map<ListNo, Known>();
  const looking = new Map<ListNo, Promise<Known>>();
  let feeds: { readonly atMs: number; readonly all: readonly FeedTerms[] } | undefined;
  let looks = 0;

  async function allFeeds(): Promise<readonly FeedTerms[]> {
    const atMs = clock.monotonicMs();
    if (feeds !== undefined && atMs - feeds.atMs <= FEEDS_KEPT_MS) return feeds.all;
    try {
      feeds = { atMs, all: await selectFeedTerms(store.sql) };
    } catch (error) {
      // Terms don't change while the database is away; what has ended must go from lists all the same.
      if (feeds === undefined) throw error;
    }
    return feeds.all;
  }

  async function look(list: ListNo, revision: Revision, feedNos: readonly number[]): Promise<Known> {
    const atMs = clock.monotonicMs();
    const built = { 4: new ColumnBuilder(4), 6: new ColumnBuilder(6) };
    for (let page: Prefix[] | undefined; page === undefined || page.length === ROWS_A_PAGE; ) {
      page = await selectFreeListings(store.sql, feedNos, { list, after: page?.at(-1), limit: ROWS_A_PAGE });
      for (const prefix of page) if (scanPrefix(prefix)) built[scanned.family].push(scanned, 0, 0);
    }
    looks += 1;
    const only = [built[4].finish(), built[6].finish()];
    const found = { no: looks, only, revision, feeds: feedNos.join(" "), atMs };
    known.set(list, found);
    return found;
  }

  return {
    async publishable(list, revision) {
      const forbidden = (await allFeeds()).filter((feed) => feed.lists.includes(list) && !isFree(feed));
      if (forbidden.length === 0) return { no: 0, only: undefined };
      const feedNos = forbidden.map(({ feedNo }) => feedNo);
      const last = known.get(list);
      if (last !== undefined && last.feeds === feedNos.join(" ")) {
        const ageMs = clock.monotonicMs() - last.atMs;
        if (ageMs < (last.revision === revision ? LOOKED_AGAIN_MS : LOOKED_AT_MOST_EACH_MS)) return last;
      }
      const begun = looking.get(list) ?? look(list, revision, feedNos).finally(() => looking.delete(list));
      looking.set(list, begun);
      try {
        return await begun;
      } catch (error) {
        if (last?.feeds !== feedNos.join(" ")) throw error;
        return last; // what came since is held back
      }
    },
    async credits(lists) {
      const credited = (await allFeeds()).filter(({ licence }) => licenceOf(licence) === "credit");
      return credited.filter((feed) => feed.lists.some((list) => lists.includes(list))).map(({ name }) => name);
    },
  };
}

function isFree({ licence }: FeedTerms): boolean {
  return mayBePublished(licenceOf(licence));
}
