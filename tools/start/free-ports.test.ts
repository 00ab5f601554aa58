import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { assertPortsFree } from "./free-ports.ts";

const HOST = "127.0.0.1";

test("a taken port is named with its use, and ports that are free are proposed", async () => {
  const other = createServer().listen(0, HOST);
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  try {
    await assert.rejects(assertPortsFree([{ host: HOST, port, use: "enrollment" }]), {
      code: "port-taken",
      message: `port ${port} (enrollment) is taken by another program`,
      hint: /^choose others: npm start -- --port-base \d+$/,
    });
    await assert.rejects(assertPortsFree([{ host: "*", port, use: "agents" }]), { code: "port-taken" });
  } finally {
    other.close();
  }
  await assertPortsFree([{ host: HOST, port, use: "enrollment" }]);
});
