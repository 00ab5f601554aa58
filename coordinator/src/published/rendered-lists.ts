/**
 * Rendered lists, kept until their edition is no longer the newest; bounded in bytes and number, least recently used out
 * first. One is made at a time: who asks for many at once waits, and costs nobody else more than that.
 */
import type { Clock } from "@fleetban/kit/clock";
import { finishInTurns } from "@fleetban/kit/slices";
import { createTurns } from "@fleetban/kit/turns";
import type { ListingColumns } from "@fleetban/proto/model/sorted-columns";
import { secondsFromMs, type UnixSeconds, unixMs } from "@fleetban/proto/model/time";
import { aggregate } from "./aggregate.ts";
import { bestRanks } from "./best-ranks.ts";
import type { Edition } from "./edition.ts";
import { type ListRequest, RequestError } from "./list-request.ts";
import { type Rendered, render } from "./render.ts";

export interface RenderedLists {
  /** `maxRank`: the token's, beside the request's own. */
  of(edition: Edition, request: ListRequest, maxRank: number): Promise<Rendered>;
}

interface Kept {
  readonly edition: Edition;
  readonly madeAt: UnixSeconds;
  readonly rendered: Promise<Rendered>;
  bytes: number;
}

const KEPT_BYTES = 64 << 20;
const KEPT_MAX = 256;
/** Waiting to be made. */
const WAITING_MAX = 32;
/** Timeouts count from when the text was made. */
const TIMEOUTS_GOOD_SECONDS = 60;

export function createRenderedLists(parts: { clock: Clock; ledgerTimeMs: () => number }): RenderedLists {
  const { clock, ledgerTimeMs } = parts;
  const kept = new Map<string, Kept>();
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  function makeInTurn(edition: Edition, request: ListRequest, maxRank: number, now: UnixSeconds): Promise<Rendered> {
    if (waiting >= WAITING_MAX) {
      return Promise.reject(new RequestError(503, `${waiting} other lists are being made`, "ask again in a minute"));
    }
    waiting += 1;
    const made = last
      .then(() => make(edition, request, maxRank, now))
      .finally(() => {
        waiting -= 1;
      });
    last = made.catch(() => undefined); // told to whoever waits for it
    return made;
  }

  async function make(edition: Edition, request: ListRequest, maxRank: number, now: UnixSeconds): Promise<Rendered> {
    const turns = createTurns(clock);
    const { families: wanted, maxRows, isAggregated, hasTimeouts, format, name } = request;
    const asked = edition.families.filter(({ family }) => wanted.includes(family));
    const bounded = await finishInTurns(bestRanks(asked, { maxRank, maxRows }), turns);
    const families: ListingColumns[] = [];
    for (const columns of bounded) {
      families.push(isAggregated ? await finishInTurns(aggregate(columns), turns) : columns);
    }
    const page = { lists: edition.lists, families, name, timeoutsFrom: hasTimeouts ? now : undefined };
    return render(format, page, turns);
  }

  /** An entry keeps its edition in memory, which may be a million listings. */
  function forgetOlder(edition: Edition): void {
    for (const [key, { edition: other }] of kept) {
      const isSame = other.isForOwnUse === edition.isForOwnUse && other.lists.join() === edition.lists.join();
      if (isSame && other !== edition) kept.delete(key);
    }
  }

  function forget(): void {
    let bytes = 0;
    for (const entry of kept.values()) bytes += entry.bytes;
    for (const [key, entry] of kept) {
      if (bytes <= KEPT_BYTES && kept.size <= KEPT_MAX) return;
      kept.delete(key);
      bytes -= entry.bytes;
    }
  }

  return {
    of(edition, request, tokenRank) {
      const maxRank = Math.min(tokenRank, request.maxRank);
      const now = secondsFromMs(unixMs(ledgerTimeMs()));
      const { extension, families, maxRows, isAggregated, hasTimeouts, name } = request;
      const wish = [edition.lists, edition.isForOwnUse, extension, families, maxRank, maxRows, isAggregated];
      const key = JSON.stringify([...wish, hasTimeouts, name]);
      const known = kept.get(key);
      const isGood = known?.edition === edition && (!hasTimeouts || now - known.madeAt < TIMEOUTS_GOOD_SECONDS);
      kept.delete(key);
      forgetOlder(edition);
      const rendered = isGood ? known.rendered : makeInTurn(edition, request, maxRank, now);
      const entry = isGood ? known : { edition, madeAt: now, rendered, bytes: 0 };
      kept.set(key, entry); // the least recently used is first
      entry.rendered.then(
        ({ gzip }) => {
          entry.bytes = gzip.length;
          forget();
        },
        () => kept.get(key) === entry && kept.delete(key), // whoever awaits it is told
      );
      return entry.rendered;
    },
  };
}
