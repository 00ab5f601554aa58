import assert from "node:assert/strict";
import { test } from "node:test";
import { newFiles } from "./drivers/new-files.ts";
import { runProgram } from "./program.ts";

for (const typed of ["publish tokens create", "reports preview", "notifications test", "agents revoke"]) {
  test(`the help of ${typed} names no default that is nothing`, async () => {
    const printed: string[] = [];
    const code = await runProgram([...typed.split(" "), "--help"], {
      connect: () => assert.fail("help needs no coordinator"),
      stdout: (text) => void printed.push(text),
      stderr: (text) => void printed.push(text),
      nowMs: () => 0,
      files: { ...newFiles, readInput: () => assert.fail("help reads nothing") },
      environment: {},
      version: "test",
    });
    assert.equal(code, 0);
    assert.match(printed.join(""), new RegExp(`^Usage: fleetban ${typed}`));
    assert.doesNotMatch(printed.join(""), /default: (?:\[\]|""|false)/);
  });
}
