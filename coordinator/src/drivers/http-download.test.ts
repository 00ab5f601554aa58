import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { DownloadError } from "../feeds/download.ts";
import { downloadOverHttp } from "./http-download.ts";

test("a failure names where it was asked, and no key that stands in the address", async (t) => {
  const server = createServer((_, response) => response.writeHead(200, { "content-encoding": "br" }).end("x"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  t.after(() => server.close());
  const bounds = { headers: {}, maxBytes: 100, deadlineMs: 30_000, idleMs: 30_000 };
  for (const place of [`127.0.0.1:${port}`, "127.0.0.1:1"]) {
    const url = `http://ann:pass-word@${place}/geo/lite?edition=a&license_key=abc123`;
    const failed = downloadOverHttp({ url, ...bounds }, new AbortController().signal);
    await assert.rejects(failed, (error: unknown) => {
      assert.ok(error instanceof DownloadError);
      assert.match(error.message, new RegExp(`^http://${place}/geo/lite\\?…: `));
      return true;
    });
  }
});
