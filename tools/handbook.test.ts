import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { WARNABLES as OF_AGENTS } from "../agent/src/health/warnables.ts";
import { WARNABLES as OF_COORDINATORS } from "../coordinator/src/web/warnables.ts";
import { ROOT } from "./tool.ts";

test("the handbook lists every bad state of an agent and of a coordinator with the programs' own words", async () => {
  const handbook = await readFile(join(ROOT, "docs/operations.md"), "utf8");
  for (const [code, { severity, text }] of [...Object.entries(OF_AGENTS), ...Object.entries(OF_COORDINATORS)]) {
    assert.ok(
      handbook.includes(`| \`${code}\` | ${severity} | ${text} |`),
      `docs/operations.md lacks the row of ${code}`,
    );
  }
});
