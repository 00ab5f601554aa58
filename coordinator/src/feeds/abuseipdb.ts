/**
 * Asks AbuseIPDB for its blacklist, once, and says what came of it.
 *
 * Errors come as JSON or as a whole page, depending on who answered (the API or the proxy in front), so the status decides
 * and a body is only quoted. Whoever calls has booked the call in the quota before.
 */
import { createHash } from "node:crypto";
import { DownloadError, type Downloaded } from "./download.ts";
import type { AbuseIpdbFeed, FeedEntry, FeedList, FetchAnswer, FetchFailure } from "./feed.ts";
import { answerOfFailure } from "./fetch-failure.ts";
import { type FetchParts, userAgent } from "./fetch-parts.ts";
import { readRate } from "./rate-notice.ts";
import { readAbuseIpdb } from "./read-list.ts";

/** An entry of the JSON form is about 130 bytes. */
const BYTES_PER_ENTRY = 256;
const BODY_BYTES_MIN = 1 << 20;
const DETAIL_MAX = 200;
const FREE_ENTRIES = 10_000;

export async function fetchBlacklist(
  parts: FetchParts,
  feed: AbuseIpdbFeed,
  signal: AbortSignal,
): Promise<FetchAnswer> {
  try {
    return await readAnswer(parts, await parts.download(requestOf(parts, feed), signal), feed);
  } catch (error) {
    if (error instanceof DownloadError) return answerOfFailure(error);
    throw error;
  }
}

function requestOf(parts: FetchParts, { abuseipdb, filter }: AbuseIpdbFeed) {
  const url = new URL(`${abuseipdb.url.replace(/\/+$/, "")}/blacklist`);
  url.searchParams.set("confidenceMinimum", String(abuseipdb.confidenceMinimum));
  url.searchParams.set("limit", String(abuseipdb.limit));
  if (filter.onlyCountries.length > 0) url.searchParams.set("onlyCountries", filter.onlyCountries.join(","));
  if (filter.exceptCountries.length > 0) url.searchParams.set("exceptCountries", filter.exceptCountries.join(","));
  if (filter.ipVersion !== undefined) url.searchParams.set("ipVersion", String(filter.ipVersion));
  if (abuseipdb.plaintext) url.searchParams.set("plaintext", "");
  return {
    url: url.href,
    headers: {
      key: abuseipdb.key, // not as a query parameter: addresses end up in logs
      accept: "application/json", // with it errors are JSON, whatever the list's form
      "user-agent": userAgent(parts),
    },
    maxBytes: Math.max(BODY_BYTES_MIN, abuseipdb.limit * BYTES_PER_ENTRY),
    ...parts.limits,
  };
}

async function readAnswer(parts: FetchParts, downloaded: Downloaded, feed: AbuseIpdbFeed): Promise<FetchAnswer> {
  const now = parts.nowMs();
  const { status, headers, body } = downloaded;
  const rate = readRate(headers, now);
  const text = new TextDecoder().decode(body);
  if (status !== 200) {
    const why = whyOf(downloaded, text);
    return { kind: failureOf(status, why, rate.remaining), reason: why, rate };
  }
  const wantedType = feed.abuseipdb.plaintext ? "text/plain" : "application/json";
  const contentType = headers["content-type"] ?? "(none)";
  if (!contentType.toLowerCase().startsWith(wantedType)) {
    return { kind: "refused-body", reason: `content type ${contentType}, wanted ${wantedType}`, rate };
  }
  const asked = { text, generatedAt: headers["x-generated-at"] };
  const gathered = await readAbuseIpdb(feed, asked, now, parts.turns());
  if (gathered.kind === "refused") return { kind: "refused-body", reason: gathered.reason, rate };
  const sha256 = createHash("sha256").update(body).digest("hex");
  const note = noteOf(feed, gathered.list);
  const list = { ...gathered.list, sha256, ...(note === undefined ? {} : { note }) };
  return { kind: "list", list, rate, validators: {} };
}

/** What came is judged by what was asked: a key without the right to choose gets the plain list, and no error. */
function noteOf({ abuseipdb }: AbuseIpdbFeed, { entries, refused }: Omit<FeedList, "sha256">): string | undefined {
  const { confidenceMinimum, plaintext, limit } = abuseipdb;
  const notes: string[] = [];
  if (confidenceMinimum < 100 && !plaintext && lowest(entries) === 100) {
    notes.push(`asked for confidence ${confidenceMinimum}, all that came is at 100`);
  }
  if (limit > FREE_ENTRIES && entries.length + (refused.duplicate ?? 0) <= FREE_ENTRIES) {
    notes.push(`asked for ${limit} entries, ${entries.length} came`);
  }
  const foreign = refused["other-country"] ?? 0;
  if (foreign > 0) notes.push(`${foreign} entries are of countries that were not asked for`);
  const other = refused["other-family"] ?? 0;
  if (other > 0) notes.push(`${other} entries are of the other IP version`);
  return notes.length === 0 ? undefined : `${notes.join("; ")}: the key's plan may not give more`;
}

function lowest(entries: readonly FeedEntry[]): number {
  return entries.reduce((least, { confidence }) => Math.min(least, confidence), 100);
}

/** Of the two kinds of 429 one lasts until the next day, the other is only too fast. */
function failureOf(status: number, why: string, remaining: number | undefined): FetchFailure {
  if (status === 429) return /daily rate limit/i.test(why) || remaining === 0 ? "quota-exhausted" : "rate-limited";
  if (status === 401 || status === 403) return "unauthorized";
  return status >= 400 && status < 500 ? "refused-request" : "unavailable";
}

/** The first error's text of the API's JSON, else only the status: a page for people tells nothing. */
function whyOf({ status }: Downloaded, text: string): string {
  const quoted = /"detail":"((?:[^"\\]|\\.){1,400})"/.exec(text)?.[1];
  return quoted === undefined ? `status ${status}` : `status ${status}: ${quoted.slice(0, DETAIL_MAX)}`;
}
