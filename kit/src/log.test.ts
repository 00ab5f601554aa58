import assert from "node:assert/strict";
import { test } from "node:test";
import { FleetbanError } from "./errors.ts";
import { createLog, type LogLevel, silentLog } from "./log.ts";

function logInto(level: LogLevel = "debug") {
  const lines: unknown[] = [];
  const log = createLog((line) => lines.push(JSON.parse(line)), { nowMs: () => 1_790_000_000_000 }, level);
  return { lines, log };
}

test("an event is one JSON line with time, level, name and facts", () => {
  const { lines, log } = logInto();
  log.with({ agent: "web1" }).info("ledger.committed", { revision: 7, digest: 5n, key: Buffer.from([1, 255]) });
  assert.deepEqual(lines, [
    {
      at: "2026-09-21T14:13:20.000Z",
      level: "info",
      event: "ledger.committed",
      agent: "web1",
      revision: 7,
      digest: "5",
      key: "01ff",
    },
  ]);
});

test("an error becomes its code, message and causes", () => {
  const { lines, log } = logInto();
  const cause = Object.assign(new Error("no such file"), { code: "ENOENT" });
  log.error("spool.write_failed", { error: new FleetbanError("spool-failed", "spool can't be written", { cause }) });
  assert.deepEqual(lines[0], {
    ...{ at: "2026-09-21T14:13:20.000Z", level: "error", event: "spool.write_failed" },
    error: {
      code: "spool-failed",
      message: "spool can't be written",
      cause: { code: "ENOENT", message: "no such file" },
    },
  });
});

test("lines below the level are dropped, and the silent log writes nothing", () => {
  const { lines, log } = logInto("warn");
  log.debug("a.b");
  log.info("a.b");
  log.warn("a.b");
  silentLog.with({}).error("a.b");
  assert.equal(lines.length, 1);
});

test("facts that can't be written don't break the program", () => {
  const { lines, log } = logInto();
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  log.info("a.b", { circle });
  assert.match(JSON.stringify(lines[0]), /"event":"a.b","unwritable":/);
});
