import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import { Blocklist } from "../model/blocklist.ts";
import { keyFixture, listFixture } from "../model/listing.fixture.ts";
import type { Epoch, Revision } from "../model/listing.ts";
import { deltaFromMessage, encodeDelta } from "./delta.ts";
import { type CoordinatorMessage, FleetClient, type FleetServer, FleetService } from "./fleet.ts";

test("a delta that was encoded once passes through the service as it is", async () => {
  const { digest, size: listings } = new Blocklist(listFixture, keyFixture);
  const delta = {
    list: listFixture,
    epoch: "ab".repeat(16) as Epoch,
    fromRevision: 1 as Revision,
    toRevision: 2 as Revision,
    ...{ digest, listings, committedAtMs: 5, approved: false, reportWithinMs: 0, remove: [], put: [] },
  };
  const bytes = encodeDelta(delta);
  const implementation: FleetServer = {
    connect: (call) => {
      call.write(bytes);
      call.write({ kind: { $case: "listRemoved", value: { list: 9, approved: true } } });
      call.end();
    },
    renew: (_call, callback) => callback({ code: 12 }),
  };
  const server = new Server();
  server.addService(FleetService, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const client = new FleetClient(`127.0.0.1:${port}`, credentials.createInsecure());
  try {
    const stream = client.connect();
    const received: CoordinatorMessage[] = [];
    stream.on("data", (message: CoordinatorMessage) => received.push(message));
    stream.end();
    await once(stream, "end");
    const [first, second] = received.map(({ kind }) => kind);
    assert.ok(first?.$case === "delta");
    assert.deepEqual(deltaFromMessage(first.value), delta);
    assert.deepEqual(second, { $case: "listRemoved", value: { list: 9, approved: true } });
  } finally {
    client.close();
    server.forceShutdown();
  }
});
