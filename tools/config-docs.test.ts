import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { tableDocs } from "./config-docs.ts";

test("the handbook's page of keys and the policy's schema are what the programs read", async () => {
  for (const [path, text] of tableDocs()) {
    assert.equal(await readFile(path, "utf8"), text, `${path} is stale; npm run generate`);
  }
});
