/**
 * The HTTPS server of published lists: sockets in, the room's answers out. Bounded in connections, headers, time, and in how
 * long somebody may read.
 */
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttps, type Server as HttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { Log } from "@fleetban/kit/log";
import { familyOf, tryParsePrefix, widen } from "@fleetban/proto/model/prefix";
import type { PublishAnswer, PublishRequest } from "../published/exchange.ts";
import type { PublishedMetrics, PublishOutcome } from "../published/published-metrics.ts";

export interface PemPair {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface PublishListenerParts {
  /** `*` = all. */
  readonly host: string;
  readonly port: number;
  /** Undefined = plain HTTP. */
  readonly certificate: PemPair | undefined;
  readonly answer: (request: PublishRequest) => Promise<PublishAnswer>;
  readonly metrics: PublishedMetrics;
  readonly log: Log;
}

export interface PublishListener {
  readonly port: number;
  /** For connections from now on. */
  renew(certificate: PemPair): void;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 1_024;
/** A proxy in front brings everybody from one. */
const MAX_CONNECTIONS_AN_ADDRESS = 256;
/** IPv6: whoever has one address has all of its /64. */
const V6_LENGTH = 64;
const HANDSHAKE_MS = 10_000;
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
/** Bouncers ask each 10 s to a minute, and a connection that stays tells that an answer arrived. */
const KEEP_ALIVE_MS = 90_000;
/** Nothing read or written. */
const IDLE_MS = 100_000;
/** Until the last byte of an answer is handed over, however slowly it is read. */
const SEND_MS = 900_000;
const CLOSE_WITHIN_MS = 2_000;

export async function listenForPublished(parts: PublishListenerParts): Promise<PublishListener> {
  const { host, port, certificate } = parts;
  const times = { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS };
  const server =
    certificate === undefined
      ? createHttp(times)
      : createHttps({ ...times, ...secretsOf(certificate), minVersion: "TLSv1.2", handshakeTimeout: HANDSHAKE_MS });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("connection", shareOut(MAX_CONNECTIONS_AN_ADDRESS));
  server.setTimeout(IDLE_MS);
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    // Owned by the response: `serve` never rejects.
    void serve(parts, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    const listening = () => {
      server.off("error", reject);
      resolve();
    };
    if (host === "*") server.listen(port, listening);
    else server.listen(port, host, listening);
  });
  return {
    port: (server.address() as AddressInfo).port,
    renew(pair) {
      if (certificate !== undefined) (server as HttpsServer).setSecureContext(secretsOf(pair));
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const late = setTimeout(() => server.closeAllConnections(), CLOSE_WITHIN_MS);
      await closed;
      clearTimeout(late);
    },
  };
}

/** One address must not take all connections: what is beyond its share is closed before a byte is read. */
function shareOut(max: number): (socket: Socket) => void {
  const open = new Map<string, number>();
  return (socket) => {
    const who = widened(addressOf(socket));
    const count = (open.get(who) ?? 0) + 1;
    open.set(who, count);
    socket.once("close", () => {
      const left = (open.get(who) ?? 1) - 1;
      if (left === 0) open.delete(who);
      else open.set(who, left);
    });
    if (count > max) socket.destroy();
  };
}

function widened(address: string): string {
  const prefix = tryParsePrefix(address);
  return prefix === undefined || familyOf(prefix) === 4 ? address : widen(prefix, V6_LENGTH);
}

function secretsOf({ certificatePem, keyPem }: PemPair): { cert: string; key: string } {
  return { cert: certificatePem, key: keyPem };
}

async function serve(parts: PublishListenerParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume(); // a body is nothing to us
  const url = URL.parse(request.url ?? "/", "http://localhost");
  if (url === null) {
    response.writeHead(400).end();
    return;
  }
  const answer = await parts.answer({
    ...{ method: request.method ?? "GET", url, headers: request.headers },
    address: addressOf(request.socket),
    connection: request.socket,
  });
  const before = request.socket.bytesWritten;
  let outcome: PublishOutcome = outcomeOf(answer);
  try {
    await send(request, response, answer);
    answer.sent?.(true);
  } catch (error) {
    outcome = "broken-off";
    parts.log.debug("published.broken_off", { path: url.pathname, error });
    response.destroy();
    answer.sent?.(false);
  }
  parts.metrics.answered(answer.format, outcome, Math.max(0, request.socket.bytesWritten - before));
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: PublishAnswer,
): Promise<void> {
  if (status === 401 || status === 403) response.shouldKeepAlive = false; // who has no good token is not kept
  response.writeHead(status, { "x-content-type-options": "nosniff", ...headers });
  if (request.method === "HEAD" || status === 304) {
    response.end();
    return;
  }
  const signal = AbortSignal.timeout(SEND_MS);
  let left = Number(headers["content-length"] ?? Number.NaN);
  async function* counted(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array | string, void> {
    for await (const chunk of chunks) {
      yield chunk;
      left -= Buffer.byteLength(chunk);
    }
  }
  try {
    await pipeline(sourceOf(body), counted, response, { signal });
  } catch (error) {
    // Who has all that was announced may leave before we know ourselves that it was the end.
    if (left !== 0) throw error;
  }
}

function sourceOf(body: PublishAnswer["body"]): Readable {
  if (typeof body === "string" || body instanceof Uint8Array) return Readable.from([body]);
  if (body.kind === "text") return Readable.from(body.chunks);
  const unpacked = createGunzip();
  unpacked.end(body.gzip);
  return unpacked;
}

function outcomeOf({ status }: PublishAnswer): PublishOutcome {
  if (status === 304) return "unchanged";
  if (status >= 500) return "failed";
  return status >= 400 ? "refused" : "sent";
}

/** Canonical: IPv4 is IPv4, no zone. */
function addressOf(socket: Socket): string {
  const text = (socket.remoteAddress ?? "").replace(/%.*/, "");
  return tryParsePrefix(text) ?? "::";
}
