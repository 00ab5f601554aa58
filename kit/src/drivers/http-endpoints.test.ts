import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { createLog, silentLog } from "../log.ts";
import { type EndpointHandler, serveHttp } from "./http-endpoints.ts";

const ROUTES: Record<string, EndpointHandler> = {
  "/livez": () => ({ body: "alive\n" }),
  "/readyz": ({ url }) => ({ status: 503, body: `not ready ${url.searchParams.get("why")}\n` }),
  "/list": async () => ({ contentType: "application/json", headers: { etag: '"7"' }, body: Buffer.from("[]") }),
  "/broken": () => Promise.reject(new Error("no luck")),
};

test("each path answers with its handler's status, type and headers", async () => {
  const stop = new AbortController();
  const { port, closed } = await serveHttp({
    host: "127.0.0.1",
    port: 0,
    routes: ROUTES,
    log: silentLog,
    signal: stop.signal,
  });
  const get = (path: string, method = "GET") => fetch(`http://127.0.0.1:${port}${path}`, { method });
  const live = await get("/livez");
  assert.deepEqual(
    [live.status, await live.text(), live.headers.get("content-type")],
    [200, "alive\n", "text/plain; charset=utf-8"],
  );
  const ready = await get("/readyz?why=tests");
  assert.deepEqual([ready.status, await ready.text()], [503, "not ready tests\n"]);
  const list = await get("/list");
  assert.deepEqual(
    [await list.text(), list.headers.get("etag"), list.headers.get("content-type")],
    ["[]", '"7"', "application/json"],
  );
  assert.deepEqual(
    [(await get("/nowhere")).status, (await get("/toString")).status, (await get("/livez", "POST")).status],
    [404, 404, 405],
  );
  const head = await get("/livez", "HEAD");
  assert.deepEqual([head.status, head.headers.get("content-length"), await head.text()], [200, "6", ""]);
  stop.abort();
  await closed;
  await assert.rejects(get("/livez"));
});

test("a handler that fails is logged and answered with 500", async () => {
  const stop = new AbortController();
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), { nowMs: () => 0 }, "error");
  const { port, closed } = await serveHttp({ host: "127.0.0.1", port: 0, routes: ROUTES, log, signal: stop.signal });
  assert.equal((await fetch(`http://127.0.0.1:${port}/broken`)).status, 500);
  assert.match(lines.join(), /"http.request_failed".*"no luck"/);
  stop.abort();
  await closed;
});

test("the end does not wait for a client that never finishes its request", async () => {
  const stop = new AbortController();
  const { port, closed } = await serveHttp({
    host: "127.0.0.1",
    port: 0,
    routes: ROUTES,
    log: silentLog,
    signal: stop.signal,
  });
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("GET /livez HTTP/1.1\r\n");
  socket.on("error", () => undefined); // a reset is an end too
  const ended = new Promise((resolve) => socket.once("close", resolve));
  stop.abort();
  await Promise.all([closed, ended]);
});

test("a port that is taken is an error to the caller", async () => {
  const stop = new AbortController();
  const parts = { host: "127.0.0.1", routes: ROUTES, log: silentLog, signal: stop.signal };
  const { port, closed } = await serveHttp({ ...parts, port: 0 });
  await assert.rejects(serveHttp({ ...parts, port }), { code: "EADDRINUSE" });
  stop.abort();
  await closed;
});
