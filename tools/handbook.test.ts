import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { WARNABLES } from "../agent/src/health/warnables.ts";
import { ROOT } from "./tool.ts";

test("the handbook lists every bad state of an agent with the program's own words", async () => {
  const handbook = await readFile(join(ROOT, "docs/operations.md"), "utf8");
  for (const [code, { severity, text }] of Object.entries(WARNABLES)) {
    assert.ok(
      handbook.includes(`| \`${code}\` | ${severity} | ${text} |`),
      `docs/operations.md lacks the row of ${code}`,
    );
  }
});
