import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { Registry } from "prom-client";
import { until } from "../../../test/support/until.ts";
import type { PublishAnswer, PublishRequest } from "../published/exchange.ts";
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
  const { port } = await listen(t, () => ({ status: 401 }));
  const socket = connect({ host: "127.0.0.1", port });
  t.after(() => socket.destroy());
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  let isEnded = false;
  socket.resume().once("end", () => {
    isEnded = true;
  });
  await until("the connection is closed", async () => isEnded);
});

test("who leaves with all that was announced has it, although the body had not ended", async (t) => {
  for (const [announced, isWhole] of [
    ["4", true],
    ["5", false],
  ] as const) {
    const told = Promise.withResolvers<boolean>();
    async function* textUntilLeft(connection: object) {
      yield "text";
      await once(connection as Socket, "close");
    }
    const { port } = await listen(t, ({ connection }) => ({
      headers: { "content-length": announced },
      body: { kind: "text", chunks: textUntilLeft(connection) },
      sent: told.resolve,
    }));
    const socket = connect({ host: "127.0.0.1", port });
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let read = "";
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      read += chunk.toString();
      if (read.endsWith("text")) break; // which closes it
    }
    assert.equal(await told.promise, isWhole);
  }
});

async function listen(t: TestContext, wish: (request: PublishRequest) => Partial<PublishAnswer> = () => ({})) {
  const metrics = createPublishedMetrics(new Registry(), () => []);
  const usual = { status: 200, headers: {}, body: "text", format: "txt" };
  const answer = async (request: PublishRequest) => ({ ...usual, ...wish(request) });
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
