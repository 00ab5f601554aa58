/**
 * A small HTTP server for what programs tell about themselves: /livez, /readyz, /metrics and pages. GET and HEAD only.
 *
 * Bounded in connections, header size and time, so that it can face a network. Ends when the signal aborts.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Log } from "../log.ts";

export interface EndpointRequest {
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
}

export interface EndpointAnswer {
  readonly status?: number;
  /** Plain text when absent. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

export type EndpointHandler = (request: EndpointRequest) => EndpointAnswer | Promise<EndpointAnswer>;

export interface HttpParts {
  readonly host: string;
  /** 0 = any that is free. */
  readonly port: number;
  /** By exact path. */
  readonly routes: Readonly<Record<string, EndpointHandler>>;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface HttpEndpoints {
  readonly port: number;
  /** Settles when the last connection is closed, after the signal. */
  readonly closed: Promise<void>;
}

const MAX_CONNECTIONS = 256;
const REQUEST_TIMEOUT_MS = 10_000;
const PLAIN_TEXT = "text/plain; charset=utf-8";

/** Resolves when it listens. */
export async function serveHttp(parts: HttpParts): Promise<HttpEndpoints> {
  const { host, port, signal } = parts;
  signal.throwIfAborted();
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("request", (request, response) => {
    // Owned by the response: `answer` never rejects.
    void answer(parts, request.method, request.url, request.headers, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const { port: listeningPort } = server.address() as AddressInfo;
  return { port: listeningPort, closed };
}

async function answer(
  { routes, log }: HttpParts,
  method: string | undefined,
  target: string | undefined,
  headers: IncomingHttpHeaders,
  response: ServerResponse,
): Promise<void> {
  try {
    const url = URL.parse(target ?? "/", "http://localhost");
    const handler = url === null ? undefined : routes[url.pathname]; // a path begins with "/", no inherited name does
    if (method !== "GET" && method !== "HEAD") send(response, method, { status: 405, body: "GET or HEAD only\n" });
    else if (url === null || handler === undefined) send(response, method, { status: 404, body: "not here\n" });
    else send(response, method, await handler({ url, headers }));
  } catch (error) {
    log.error("http.request_failed", { target, error });
    if (response.headersSent) response.destroy();
    else send(response, method, { status: 500, body: "failed; see the log\n" });
  }
}

function send(response: ServerResponse, method: string | undefined, endpoint: EndpointAnswer): void {
  const { status = 200, contentType = PLAIN_TEXT, headers = {}, body } = endpoint;
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    ...headers,
  });
  response.end(method === "HEAD" || status === 304 ? undefined : body);
}
