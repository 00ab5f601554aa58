/** One request over HTTP or HTTPS, on a connection of its own, so that it is known whether the other side can have got it. */
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { type Answered, ExchangeError, type ExchangeRequest } from "../reports/exchange.ts";
import { headersOf } from "./answer-headers.ts";

export async function exchangeOverHttp(wanted: ExchangeRequest, signal: AbortSignal): Promise<Answered> {
  const deadline = AbortSignal.timeout(wanted.deadlineMs);
  const state = { isConnected: false };
  try {
    const response = await answerTo(wanted, state, AbortSignal.any([signal, deadline]));
    const body = await bodyOf(response, wanted.maxBytes);
    return { status: response.statusCode ?? 0, headers: headersOf(response), body };
  } catch (error) {
    const { host } = new URL(wanted.url); // the rest of a webhook's URL may be its secret
    const why = deadline.aborted ? `not complete after ${wanted.deadlineMs} ms` : codeOf(error);
    if (state.isConnected) throw new ExchangeError("no-answer", `${host}: no answer, ${why}`, error);
    signal.throwIfAborted(); // stopping is no failure of theirs, and nothing was sent
    throw new ExchangeError("not-sent", `${host}: not reached, ${why}`, error);
  }
}

function answerTo(
  { method, url, headers, body }: ExchangeRequest,
  state: { isConnected: boolean },
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const isTls = new URL(url).protocol === "https:";
  const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
  const length = method === "POST" ? { "content-length": String(bytes.length) } : {};
  return new Promise((resolve, reject) => {
    const request = isTls ? requestHttps : requestHttp;
    const asked = request(url, { method, headers: { ...headers, ...length }, signal, agent: false });
    // Not a byte of the request leaves before: it waits for the connection, with TLS for its handshake.
    asked.once("socket", (socket) => {
      socket.once(isTls ? "secureConnect" : "connect", () => {
        state.isConnected = true;
      });
    });
    asked.once("error", reject);
    asked.once("response", resolve);
    asked.end(bytes);
  });
}

async function bodyOf(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw Object.assign(new Error("too long"), { code: `longer than ${maxBytes} bytes` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
