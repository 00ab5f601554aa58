import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { type TestContext, test } from "node:test";
import type { ExchangeRequest } from "../reports/exchange.ts";
import { exchangeOverHttp } from "./http-exchange.ts";

test("an answer comes with its status, its headers and its text", async (t) => {
  const url = await serve(t, (request, response) => {
    response.writeHead(422, { "X-Told": request.headers["x-asked"] }).end(request.method);
  });
  const { status, headers, body } = await ask(url, { headers: { "x-asked": "yes" } });
  assert.deepEqual([status, headers["x-told"], body], [422, "yes", "POST"]);
});

test("whoever was not reached can't have got it", async (t) => {
  const gone = await serve(t, () => undefined);
  await closed(gone);
  await assert.rejects(ask(gone), { code: "not-sent", message: /^127\.0\.0\.1:\d+: not reached, ECONNREFUSED$/ });
  const plain = await serve(t, () => undefined);
  await assert.rejects(ask(plain.replace("http:", "https:")), { code: "not-sent" });
});

test("whoever was reached and did not answer in time, in full or at all may have got it", async (t) => {
  const silent = await serve(t, () => undefined);
  await assert.rejects(ask(silent, { deadlineMs: 1_000 }), {
    code: "no-answer",
    message: /not complete after 1000 ms/,
  });
  const broken = await serve(t, (request) => request.socket.destroy());
  await assert.rejects(ask(broken), { code: "no-answer" });
  const short = await serve(t, (request, response) => {
    response.writeHead(200, { "content-length": "10" }).write("half", () => request.socket.destroy());
  });
  await assert.rejects(ask(short), { code: "no-answer" });
  const long = await serve(t, (_, response) => response.end("x".repeat(2_000)));
  await assert.rejects(ask(long), { code: "no-answer", message: /longer than 1000 bytes/ });
});

test("no error tells more of a URL than its host", async (t) => {
  const gone = await serve(t, () => undefined);
  await closed(gone);
  await assert.rejects(ask(`${gone}/secret?token=secret`), ({ message }: Error) => !message.includes("secret"));
});

test("a stop before anything is sent is its own reason, not a failure of theirs", async (t) => {
  const url = await serve(t, () => undefined);
  const stop = AbortSignal.abort(new Error("stopping"));
  await assert.rejects(exchangeOverHttp(requestTo(url), stop), /stopping/);
});

const servers = new Map<string, { close(): Promise<void> }>();

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  servers.set(url, { close });
  t.after(close);
  return url;
}

async function closed(url: string): Promise<void> {
  await servers.get(url)?.close();
  const probe = createTcpServer(); // nobody has taken the port meanwhile
  await new Promise<void>((resolve) => probe.listen(Number(new URL(url).port), "127.0.0.1", resolve));
  await new Promise((resolve) => probe.close(resolve));
}

function requestTo(url: string): ExchangeRequest {
  return { method: "POST", url, headers: {}, body: "body", maxBytes: 1_000, deadlineMs: 30_000 };
}

function ask(url: string, given: Partial<ExchangeRequest> = {}) {
  return exchangeOverHttp({ ...requestTo(url), ...given }, new AbortController().signal);
}
