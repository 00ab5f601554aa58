/**
 * The three calls of AbuseIPDB that reporting takes, as requests, and what their answers mean. Pure.
 *
 * There are two kinds of 429: the quota, which stops everything until it is given anew, and the same address within a quarter
 * hour, which drops that report and nothing else. They are told apart by their text, which older servers sent with 403 or 422.
 */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { RateTold, ReportEndpoint } from "./budget.ts";
import { csvFile } from "./csv-file.ts";
import type { Answered, ExchangeRequest } from "./exchange.ts";

export interface ReportApi {
  /** The base, `https://api.abuseipdb.com/api/v2`. */
  readonly url: string;
  /** Secret: never in the database or a log. */
  readonly key: string;
  /** Of this program, for the User-Agent. */
  readonly programVersion: string;
}

export interface Report {
  readonly reportNo: number;
  readonly address: Prefix;
  readonly categories: readonly number[];
  readonly comment: string;
  readonly sightedAtMs: number;
}

export type Answer = { readonly rate: RateTold; readonly status: number } & (
  | { readonly kind: "taken"; readonly refused: ReadonlyMap<string, string> }
  | { readonly kind: "duplicate"; readonly reason: string }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "quota" | "unauthorized"; readonly reason: string }
  /** Not the API, but a proxy in front of it that has enough for the moment. */
  | { readonly kind: "busy"; readonly reason: string }
  /** Nobody can say whether it was taken. */
  | { readonly kind: "unknown"; readonly reason: string }
);

const DEADLINE_MS = { report: 20_000, "bulk-report": 120_000, check: 20_000 };
const ANSWER_MAX_BYTES = 4 << 20; // a verbose check of an address that everybody reports
const DETAIL_MAX = 200;
/** A time of theirs that is not over is refused, and clocks differ. */
const NOT_IN_FUTURE_MS = 60_000;
const DUPLICATE = /only report the same IP address .{0,80} once in 15 minutes/i;
const DAY_MS = 24 * 3600_000;

export function singleRequest(api: ReportApi, report: Report, now: UnixMs): ExchangeRequest {
  const form = new URLSearchParams({
    ip: report.address,
    categories: report.categories.join(","),
    comment: report.comment,
    timestamp: timestampOf(report, now),
  });
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return request(api, "report", { method: "POST", headers, body: form.toString() });
}

/** `boundary` must not occur in the file. */
export function bulkRequest(
  api: ReportApi,
  reports: readonly Report[],
  { boundary, now }: { boundary: string; now: UnixMs },
): ExchangeRequest {
  const file = csvFile(reports.map((report) => ({ ...report, timestamp: timestampOf(report, now) })));
  const disposition = 'content-disposition: form-data; name="csv"; filename="reports.csv"';
  const body = `--${boundary}\r\n${disposition}\r\ncontent-type: text/csv\r\n\r\n${file}\r\n--${boundary}--\r\n`;
  const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
  return request(api, "bulk-report", { method: "POST", headers, body });
}

export function checkRequest(api: ReportApi, report: Pick<Report, "address" | "sightedAtMs">, now: UnixMs) {
  const days = Math.min(365, 1 + Math.ceil(Math.max(0, now - report.sightedAtMs) / DAY_MS));
  const query = `?ipAddress=${encodeURIComponent(report.address)}&maxAgeInDays=${days}&verbose`;
  return request(api, "check", { method: "GET", headers: {}, query });
}

export function readAnswer(answered: Answered, now: UnixMs): Answer {
  const { status, body } = answered;
  const head = { rate: rateOf(answered, now), status };
  const reason = whyOf(answered);
  if (status === 200) {
    const refused = refusedRows(body);
    return refused === undefined
      ? { ...head, kind: "unknown", reason: "its answer can't be read" }
      : { ...head, kind: "taken", refused };
  }
  if (DUPLICATE.test(body)) return { ...head, kind: "duplicate", reason };
  if (status === 429) return { ...head, kind: isOfTheApi(answered) ? "quota" : "busy", reason };
  if (status === 401 || status === 403) return { ...head, kind: "unauthorized", reason };
  if (status >= 500) return { ...head, kind: "unknown", reason }; // of a proxy in front: what is behind it may have it
  return { ...head, kind: "refused", reason };
}

/** Whether the service has this very report; undefined where the answer doesn't say. */
export function isReportedThere({ status, body }: Answered, comment: string): boolean | undefined {
  if (status !== 200) return undefined;
  try {
    const { data } = JSON.parse(body) as { data?: { reports?: readonly { comment?: unknown }[] } };
    return data?.reports?.some((report) => wordsOf(String(report.comment)) === wordsOf(comment));
  } catch {
    return undefined; // a page for people
  }
}

/** What a service may change on its way to the page and back: blanks, marks, entities. */
function wordsOf(text: string): string {
  return text.replaceAll(/&#?\w+;|[^\p{L}\p{N}]/gu, "");
}

function request(
  { url, key, programVersion }: ReportApi,
  endpoint: ReportEndpoint,
  {
    method,
    headers,
    body,
    query = "",
  }: { method: "GET" | "POST"; headers: Record<string, string>; body?: string; query?: string },
): ExchangeRequest {
  const own = {
    key,
    accept: "application/json",
    "user-agent": `fleetban/${programVersion} (reports of a server fleet)`,
  };
  const sent = body === undefined ? {} : { body };
  const target = `${url.replace(/\/+$/, "")}/${endpoint}${query}`;
  return {
    method,
    url: target,
    headers: { ...headers, ...own },
    ...sent,
    maxBytes: ANSWER_MAX_BYTES,
    deadlineMs: DEADLINE_MS[endpoint],
  };
}

function timestampOf({ sightedAtMs }: Report, now: UnixMs): string {
  return `${new Date(Math.min(sightedAtMs, now - NOT_IN_FUTURE_MS)).toISOString().slice(0, 19)}+00:00`;
}

/** Of a single report none, of a bulk report those of its `invalidReports`, by address; undefined where it is no such answer. */
function refusedRows(body: string): ReadonlyMap<string, string> | undefined {
  try {
    const { data } = JSON.parse(body) as {
      data?: { invalidReports?: readonly { error?: unknown; input?: unknown }[] };
    };
    if (typeof data !== "object" || data === null) return undefined;
    return new Map((data.invalidReports ?? []).map(({ input, error }) => [String(input), String(error)]));
  } catch {
    return undefined;
  }
}

/** It says of every answer how much is left; who says nothing of it knows nothing of the quota. */
function isOfTheApi({ headers, body }: Answered): boolean {
  return headers["x-ratelimit-limit"] !== undefined || /"detail":"[^"]*rate limit/i.test(body);
}

/** The first error's text of the API's JSON, else only the status: a page for people tells nothing. */
function whyOf({ status, body }: Answered): string {
  const quoted = /"detail":"((?:[^"\\]|\\.){1,400})"/.exec(body)?.[1];
  return quoted === undefined ? `status ${status}` : `status ${status}: ${quoted.slice(0, DETAIL_MAX)}`;
}

/** `Retry-After` is relative and so immune to a skewed clock; `X-RateLimit-Reset` is the second choice. */
function rateOf({ headers }: Answered, now: UnixMs): RateTold {
  const retryAfterSeconds = numberOf(headers["retry-after"]);
  const resetSeconds = numberOf(headers["x-ratelimit-reset"]);
  const byReset = resetSeconds === undefined ? undefined : resetSeconds * 1_000;
  const retryAtMs = retryAfterSeconds === undefined ? byReset : now + retryAfterSeconds * 1_000;
  return {
    limit: numberOf(headers["x-ratelimit-limit"]),
    remaining: numberOf(headers["x-ratelimit-remaining"]),
    retryAt: retryAtMs === undefined ? undefined : unixMs(retryAtMs),
  };
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}
