import assert from "node:assert/strict";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { Registry } from "prom-client";
import { until } from "../../../test/support/until.ts";
import { createPublishedMetrics } from "../published/published-metrics.ts";
import { listenForPublished } from "./publish-listener.ts";

test("one address takes only its share of the connections", async (t) => {
  const { port } = await listen(t);
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  let closed = 0;
  for (let at = 0; at < 300; at += 1) {
    const socket = connect({ host: "127.0.0.1", port, localAddress: "127.0.0.2" });
    socket
      .on("error", () => undefined)
      .once("close", () => {
        closed += 1;
      });
    sockets.push(socket);
  }
  await until("what is beyond its share is closed", async () => closed === 300 - 256);
  assert.equal(await statusFrom(port, "127.0.0.3"), 200);
  for (const socket of sockets) socket.destroy();
  await until("its share is free again", async () => (await statusFrom(port, "127.0.0.2").catch(() => 0)) === 200);
});

test("who brings no good token is not kept", async (t) => {
  const { port } = await listen(t, 401);
  const socket = connect({ host: "127.0.0.1", port });
  t.after(() => socket.destroy());
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  let isEnded = false;
  socket.resume().once("end", () => {
    isEnded = true;
  });
  await until("the connection is closed", async () => isEnded);
});

async function listen(t: TestContext, status = 200) {
  const metrics = createPublishedMetrics(new Registry(), () => []);
  const answer = async () => ({ status, headers: {}, body: "text", format: "txt" });
  const listener = await listenForPublished({
    ...{ host: "127.0.0.1", port: 0, certificate: undefined, answer, metrics, log: silentLog },
  });
  t.after(() => listener.close());
  return listener;
}

function statusFrom(port: number, localAddress: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, localAddress, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.once("error", reject);
    asked.end();
  });
}
