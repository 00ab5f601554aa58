/** What a publisher's headers say of its quota and of when to come again. */
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { Downloaded } from "./download.ts";
import type { RateNotice } from "./feed.ts";

/** `Retry-After` in seconds is immune to a skewed clock; its other form, a date, and `X-RateLimit-Reset` are not. */
export function readRate(headers: Downloaded["headers"], now: UnixMs): RateNotice {
  const resetSeconds = numberOf(headers["x-ratelimit-reset"]);
  const retryAtMs = retryAfterMs(headers["retry-after"], now) ?? (resetSeconds && resetSeconds * 1_000);
  return {
    limit: numberOf(headers["x-ratelimit-limit"]),
    remaining: numberOf(headers["x-ratelimit-remaining"]),
    retryAt: retryAtMs === undefined ? undefined : unixMs(retryAtMs),
  };
}

function retryAfterMs(text: string | undefined, now: UnixMs): number | undefined {
  const seconds = numberOf(text);
  if (seconds !== undefined) return now + seconds * 1_000;
  const atMs = Date.parse(text ?? "");
  return Number.isNaN(atMs) ? undefined : atMs;
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}
