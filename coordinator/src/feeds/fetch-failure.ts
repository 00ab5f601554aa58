/** A download that failed, as an answer: what came was bad, or nothing came. */
import type { DownloadError } from "./download.ts";
import { type FetchAnswer, NOTHING_SAID } from "./feed.ts";

const BAD_BODY: ReadonlySet<string> = new Set(["download-cut-short", "download-bad-encoding", "download-too-large"]);

export function answerOfFailure(error: DownloadError): FetchAnswer {
  const kind = BAD_BODY.has(error.code) ? "refused-body" : "unavailable";
  return { kind, reason: error.message, rate: NOTHING_SAID };
}
