import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { CONFIG_DOCS, configDocs } from "./config-docs.ts";

test("the handbook's page of configuration keys is what the programs read", async () => {
  assert.equal(await readFile(CONFIG_DOCS, "utf8"), configDocs(), "docs/configuration.md is stale; npm run generate");
});
