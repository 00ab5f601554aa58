/**
 * The open tokens in memory, read anew when somebody comes and what is known is some seconds old: a revoked one opens
 * nothing after that. While the database does not answer, those known last go on opening what is published.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { covers, tryParsePrefix } from "@fleetban/proto/model/prefix";
import type { Store } from "../store/store.ts";
import { type PublishToken, tokenHash, tokenState } from "./token.ts";
import { selectOpenTokens } from "./token-queries.ts";

export interface TokenBook {
  /** Undefined = it opens nothing, or not from there. */
  open(token: string, address: string): Promise<PublishToken | undefined>;
}

const KEPT_MS = 2_000;
const UNKNOWN_WAITS_MS = 250;
const READ_MAX_MS = 2_000;

export function createTokenBook(parts: { store: Pick<Store, "sql">; clock: Clock; log: Log }): TokenBook {
  const { store, clock, log } = parts;
  let known: ReadonlyMap<string, PublishToken> = new Map();
  let readAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    try {
      known = await selectOpenTokens(store.sql);
      readAtMs = clock.monotonicMs();
    } catch (error) {
      log.warn("published.tokens_unread", { error });
    }
  }

  async function refresh(keptMs: number): Promise<void> {
    if (clock.monotonicMs() - readAtMs < keptMs) return;
    reading ??= read().finally(() => {
      reading = undefined;
    });
    const late = new AbortController();
    await Promise.race([reading, clock.sleep(READ_MAX_MS, late.signal).catch(() => undefined)]);
    late.abort();
  }

  return {
    async open(text, address) {
      await refresh(KEPT_MS);
      const hash = tokenHash(text).toString("hex"); // how long the look-up of a hash takes tells nothing of the token
      if (!known.has(hash)) {
        // It may be just made. Whoever tries tokens waits, and all who do cost one reading.
        await clock.sleep(UNKNOWN_WAITS_MS);
        await refresh(UNKNOWN_WAITS_MS);
      }
      const token = known.get(hash);
      if (token === undefined || tokenState(token, clock.nowMs()) !== "open") return undefined;
      return isFrom(token, address) ? token : undefined;
    },
  };
}

function isFrom({ ranges }: PublishToken, address: string): boolean {
  if (ranges.length === 0) return true;
  const prefix = tryParsePrefix(address);
  return prefix !== undefined && ranges.some((range) => covers(range, prefix));
}
