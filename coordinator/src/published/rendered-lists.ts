/** Rendered lists, kept until their edition is no longer the newest; bounded in bytes, least recently used out first. */
import type { Clock } from "@fleetban/kit/clock";
import { finishInTurns } from "@fleetban/kit/slices";
import { createTurns } from "@fleetban/kit/turns";
import type { ListingColumns } from "@fleetban/proto/model/sorted-columns";
import { secondsFromMs, type UnixSeconds, unixMs } from "@fleetban/proto/model/time";
import { aggregate } from "./aggregate.ts";
import { bestRanks } from "./best-ranks.ts";
import type { Edition } from "./edition.ts";
import type { ListRequest } from "./list-request.ts";
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
/** Timeouts count from when the text was made. */
const TIMEOUTS_GOOD_SECONDS = 60;

export function createRenderedLists(parts: { clock: Clock; ledgerTimeMs: () => number }): RenderedLists {
  const { clock, ledgerTimeMs } = parts;
  const kept = new Map<string, Kept>();

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

  function forget(): void {
    let bytes = 0;
    for (const entry of kept.values()) bytes += entry.bytes;
    for (const [key, entry] of kept) {
      if (bytes <= KEPT_BYTES) return;
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
      const entry = isGood ? known : { edition, madeAt: now, rendered: make(edition, request, maxRank, now), bytes: 0 };
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
