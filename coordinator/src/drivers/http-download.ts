/**
 * GET over HTTP or HTTPS for feeds, bounded in time and size while it streams.
 *
 * Not `fetch`: undici unpacks a gzip stream that breaks off in the middle without an error, and half a list would pass for
 * a list. Here a short body, a cut gzip stream and a bomb each end in their own code.
 */
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { DownloadError, type Downloaded, type DownloadRequest } from "../feeds/download.ts";
import { headersOf } from "./answer-headers.ts";

export async function downloadOverHttp(wanted: DownloadRequest, signal: AbortSignal): Promise<Downloaded> {
  const deadline = AbortSignal.timeout(wanted.deadlineMs);
  let hasBegun = false;
  try {
    const response = await answerTo(wanted, AbortSignal.any([signal, deadline]));
    hasBegun = true;
    const body = await bodyOf(response, wanted);
    return { status: response.statusCode ?? 0, headers: headersOf(response), body };
  } catch (error) {
    signal.throwIfAborted(); // stopping is no failure of the feed
    if (error instanceof DownloadError) throw error;
    if (deadline.aborted) throw timedOut(wanted, `not complete after ${wanted.deadlineMs} ms`, error);
    throw failureOf(wanted, error, hasBegun);
  }
}

function answerTo(wanted: DownloadRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const request = new URL(wanted.url).protocol === "https:" ? requestHttps : requestHttp;
  const headers = { "accept-encoding": "gzip", ...wanted.headers };
  return new Promise((resolve, reject) => {
    const asked = request(wanted.url, { headers, signal, timeout: wanted.idleMs, agent: false });
    asked.once("timeout", () => asked.destroy(timedOut(wanted, `silent for ${wanted.idleMs} ms`)));
    asked.once("error", reject);
    asked.once("response", resolve);
    asked.end();
  });
}

async function bodyOf(response: IncomingMessage, wanted: DownloadRequest): Promise<Uint8Array> {
  const encoding = response.headers["content-encoding"] ?? "identity";
  if (Number(response.headers["content-length"]) > wanted.maxBytes) {
    response.destroy(); // before a byte of it is read
    throw tooLarge(wanted);
  }
  const chunks: Uint8Array[] = [];
  const collect = async (source: AsyncIterable<Uint8Array>) => {
    for await (const chunk of atMost(source, wanted)) chunks.push(chunk);
  };
  if (encoding === "identity") await pipeline(response, collect);
  else if (encoding === "gzip") {
    await pipeline(response, (source: AsyncIterable<Uint8Array>) => atMost(source, wanted), createGunzip(), collect);
  } else {
    response.destroy();
    throw new DownloadError(
      "download-bad-encoding",
      `${shown(wanted)}: content-encoding ${encoding} was not asked for`,
    );
  }
  return Buffer.concat(chunks);
}

async function* atMost(source: AsyncIterable<Uint8Array>, wanted: DownloadRequest) {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > wanted.maxBytes) throw tooLarge(wanted);
    yield chunk;
  }
}

function tooLarge(wanted: DownloadRequest): DownloadError {
  return new DownloadError("download-too-large", `${shown(wanted)}: longer than ${wanted.maxBytes} bytes`);
}

function timedOut(wanted: DownloadRequest, what: string, cause?: unknown): DownloadError {
  return new DownloadError("download-timed-out", `${shown(wanted)}: ${what}`, cause);
}

function failureOf(wanted: DownloadRequest, error: unknown, hasBegun: boolean): DownloadError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  if (code.startsWith("Z_") && code !== "Z_BUF_ERROR") {
    return new DownloadError("download-bad-encoding", `${shown(wanted)}: bad gzip (${code})`, error);
  }
  if (hasBegun) return new DownloadError("download-cut-short", `${shown(wanted)}: the body broke off (${code})`, error);
  return new DownloadError("download-failed", `${shown(wanted)}: ${code}`, error);
}

/** Messages go to logs; a publisher's key often stands in the query. */
function shown({ url }: DownloadRequest): string {
  const { origin, pathname, search } = new URL(url);
  return `${origin}${pathname}${search === "" ? "" : "?…"}`;
}
