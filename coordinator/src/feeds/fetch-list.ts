/**
 * Asks for a list by URL or reads it from a file, once, and says what came of it.
 *
 * What was taken the last time is asked for only if it has changed. A redirect is not followed: who may send a fleet's
 * coordinators anywhere could send them to what is theirs alone.
 */
import { createHash } from "node:crypto";
import { DownloadError, type Downloaded } from "./download.ts";
import { type FetchAnswer, type FetchFailure, type ListFeed, NOTHING_SAID, type Validators } from "./feed.ts";
import { answerOfFailure } from "./fetch-failure.ts";
import { type FetchParts, userAgent } from "./fetch-parts.ts";
import { contentTypeProblem } from "./list-body.ts";
import { readRate } from "./rate-notice.ts";
import { readList } from "./read-list.ts";

/** Longer ones are not sent back. */
const VALIDATOR_MAX = 256;
const LOCATION_MAX = 200;

/** `last`: of the list that is in force, if its definition has not changed since. */
export async function fetchList(
  parts: FetchParts,
  feed: ListFeed,
  last: Validators | undefined,
  signal: AbortSignal,
): Promise<FetchAnswer> {
  const { at, maxBytes } = feed.settings;
  const asked = conditions(last);
  try {
    if (at.kind === "file") return await readFeedFile(parts, feed, at.path, last);
    const headers = { accept: "text/plain, */*;q=0.5", "user-agent": userAgent(parts), ...asked };
    const downloaded = await parts.download({ url: at.url, headers, maxBytes, ...parts.limits }, signal);
    return await readAnswer(parts, feed, downloaded, Object.keys(asked).length > 0);
  } catch (error) {
    if (error instanceof DownloadError) return answerOfFailure(error);
    throw error;
  }
}

async function readFeedFile(
  parts: FetchParts,
  feed: ListFeed,
  path: string,
  last: Validators | undefined,
): Promise<FetchAnswer> {
  const { bytes, changedAtMs } = await parts.readFile(path, feed.settings.maxBytes);
  const lastModified = new Date(changedAtMs).toUTCString();
  const sha256 = sha256Of(bytes);
  if (last?.etag === sha256) return { kind: "not-modified", rate: NOTHING_SAID };
  const gathered = await readList(feed, bytes, { now: parts.nowMs(), lastModified }, parts.turns());
  if (gathered.kind === "refused") return { kind: "refused-body", reason: gathered.reason, rate: NOTHING_SAID };
  const validators = { etag: sha256, lastModified };
  return { kind: "list", list: { ...gathered.list, sha256 }, rate: NOTHING_SAID, validators };
}

async function readAnswer(
  parts: FetchParts,
  feed: ListFeed,
  { status, headers, body }: Downloaded,
  isConditional: boolean,
): Promise<FetchAnswer> {
  const now = parts.nowMs();
  const rate = readRate(headers, now);
  if (status === 304 && isConditional) return { kind: "not-modified", rate };
  if (status !== 200) return { kind: failureOf(status), reason: whyOf(status, headers), rate };
  const problem = contentTypeProblem(headers["content-type"]);
  if (problem !== undefined) return { kind: "refused-body", reason: problem, rate };
  const lastModified = headers["last-modified"];
  const gathered = await readList(feed, body, { now, lastModified }, parts.turns());
  if (gathered.kind === "refused") return { kind: "refused-body", reason: gathered.reason, rate };
  const { etag } = headers;
  const validators = {
    ...(etag === undefined || etag.length > VALIDATOR_MAX ? {} : { etag }),
    ...(lastModified === undefined || lastModified.length > VALIDATOR_MAX ? {} : { lastModified }),
  };
  return { kind: "list", list: { ...gathered.list, sha256: sha256Of(body) }, rate, validators };
}

function conditions(last: Validators | undefined): Record<string, string> {
  const { etag, lastModified } = last ?? {};
  return {
    ...(etag === undefined ? {} : { "if-none-match": etag }),
    ...(lastModified === undefined ? {} : { "if-modified-since": lastModified }),
  };
}

function failureOf(status: number): FetchFailure {
  if (status === 429) return "rate-limited";
  if (status === 401 || status === 403) return "unauthorized";
  if (status >= 500) return "unavailable";
  return status >= 300 ? "refused-request" : "refused-body";
}

function whyOf(status: number, { location }: Downloaded["headers"]): string {
  const isMoved = status >= 300 && status < 400 && location !== undefined;
  return isMoved ? `status ${status}: it is at ${shown(location)} now; write that as its url` : `status ${status}`;
}

/** Logged, and told to whoever may read the status: a key stands in the query, or before the host. */
function shown(location: string): string {
  const [place = ""] = location.split(/[?#]/, 1);
  const cut = place.replace(/^((?:[a-z][a-z0-9+.-]*:)?\/\/)[^/]*@/i, "$1").slice(0, LOCATION_MAX);
  return `${cut}${place === location ? "" : "?…"}`;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
