/**
 * Asks AbuseIPDB for its blacklist, once, and says what came of it.
 *
 * Errors come as JSON or as a whole page, depending on who answered (the API or the proxy in front), so the status decides
 * and a body is only quoted. Whoever calls has booked the call in the quota before.
 */
import { createHash } from "node:crypto";
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import { readBlacklistBody } from "./abuseipdb-body.ts";
import { type Download, DownloadError, type Downloaded } from "./download.ts";
import type { AbuseIpdbSettings, FetchAnswer, FetchFailure, RateNotice } from "./feed.ts";

export interface FetchLimits {
  readonly deadlineMs: number;
  readonly idleMs: number;
}

export interface AbuseIpdbParts {
  readonly download: Download;
  /** Of the ledger. */
  readonly nowMs: () => UnixMs;
  readonly limits: FetchLimits;
  /** Of this program, for the User-Agent. */
  readonly programVersion: string;
}

/** An entry of the JSON form is about 130 bytes. */
const BYTES_PER_ENTRY = 256;
const BODY_BYTES_MIN = 1 << 20;
const DETAIL_MAX = 200;
const NOTHING_SAID: RateNotice = { limit: undefined, remaining: undefined, retryAt: undefined };

export async function fetchBlacklist(
  parts: AbuseIpdbParts,
  settings: AbuseIpdbSettings,
  signal: AbortSignal,
): Promise<FetchAnswer> {
  try {
    const downloaded = await parts.download(requestOf(parts, settings), signal);
    return readAnswer(downloaded, settings, parts.nowMs());
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    const isBadBody = error.code === "download-cut-short" || error.code === "download-bad-encoding";
    const kind = isBadBody || error.code === "download-too-large" ? "refused-body" : "unavailable";
    return { kind, reason: error.message, rate: NOTHING_SAID };
  }
}

function requestOf(parts: AbuseIpdbParts, settings: AbuseIpdbSettings) {
  const url = new URL(`${settings.url.replace(/\/+$/, "")}/blacklist`);
  url.searchParams.set("confidenceMinimum", String(settings.confidenceMinimum));
  url.searchParams.set("limit", String(settings.limit));
  return {
    url: url.href,
    headers: {
      key: settings.key, // not as a query parameter: addresses end up in logs
      accept: "application/json",
      "user-agent": `fleetban/${parts.programVersion} (blocklist of a server fleet)`,
    },
    maxBytes: Math.max(BODY_BYTES_MIN, settings.limit * BYTES_PER_ENTRY),
    deadlineMs: parts.limits.deadlineMs,
    idleMs: parts.limits.idleMs,
  };
}

function readAnswer(downloaded: Downloaded, settings: AbuseIpdbSettings, now: UnixMs): FetchAnswer {
  const rate = readRate(downloaded.headers, now);
  const text = new TextDecoder().decode(downloaded.body);
  if (downloaded.status !== 200) return { kind: failureOf(downloaded.status), reason: whyOf(downloaded, text), rate };
  const contentType = downloaded.headers["content-type"] ?? "(none)";
  if (!/^application\/json\b/i.test(contentType)) {
    return { kind: "refused-body", reason: `content type ${contentType}, wanted application/json`, rate };
  }
  const { confidenceMinimum, limit: maxEntries } = settings;
  const reading = readBlacklistBody(text, { confidenceMinimum, maxEntries, now });
  if (reading.kind === "refused") return { kind: "refused-body", reason: reading.reason, rate };
  const sha256 = createHash("sha256").update(downloaded.body).digest("hex");
  return { kind: "list", list: { ...reading.list, sha256 }, rate };
}

function failureOf(status: number): FetchFailure {
  if (status === 429) return "quota-exhausted"; // the other kind of 429, for duplicates, is of reports only
  if (status === 401 || status === 403) return "unauthorized";
  return status >= 400 && status < 500 ? "refused-request" : "unavailable";
}

/** The first error's text of the API's JSON, else only the status: a page for people tells nothing. */
function whyOf({ status }: Downloaded, text: string): string {
  const quoted = /"detail":"((?:[^"\\]|\\.){1,400})"/.exec(text)?.[1];
  return quoted === undefined ? `status ${status}` : `status ${status}: ${quoted.slice(0, DETAIL_MAX)}`;
}

/** `Retry-After` is relative and so immune to a skewed clock; `X-RateLimit-Reset` is the second choice. */
function readRate(headers: Downloaded["headers"], now: UnixMs): RateNotice {
  const retryAfterSeconds = numberOf(headers["retry-after"]);
  const resetSeconds = numberOf(headers["x-ratelimit-reset"]);
  const retryAtMs =
    retryAfterSeconds === undefined ? resetSeconds && resetSeconds * 1_000 : now + retryAfterSeconds * 1_000;
  return {
    limit: numberOf(headers["x-ratelimit-limit"]),
    remaining: numberOf(headers["x-ratelimit-remaining"]),
    retryAt: retryAtMs === undefined ? undefined : unixMs(retryAtMs),
  };
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}
