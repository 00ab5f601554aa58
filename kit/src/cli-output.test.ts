import assert from "node:assert/strict";
import { test } from "node:test";
import {
  humanCount,
  humanMicroseconds,
  humanMoment,
  humanSeconds,
  plain,
  renderFacts,
  renderTable,
  renderTsv,
  utcTime,
} from "./cli-output.ts";

test("a table is aligned, numbers to the right, what is absent said", () => {
  const table = renderTable(
    [{ title: "agent" }, { title: "entries", align: "right" }, { title: "state" }],
    [
      ["web1", 12, "online"],
      ["database-2", 1_204, undefined],
    ],
  );
  assert.deepEqual(table.split("\n"), [
    "AGENT       ENTRIES  STATE",
    "web1             12  online",
    "database-2     1204  (none)",
  ]);
  assert.equal(renderTable([{ title: "agent" }], []), "AGENT");
  assert.equal(renderTable([{ title: "agent" }], [], "no agents"), "no agents");
});

test("facts stand one a line, values below each other", () => {
  assert.equal(
    renderFacts([
      ["epoch", "ab12"],
      ["last seen", undefined],
    ]),
    "epoch:      ab12\nlast seen:  (none)",
  );
});

test("tab-separated output is raw, and no cell breaks out of its column", () => {
  assert.equal(renderTsv([["a\tb\nc", 1, undefined]]), "a\ufffdb\ufffdc\t1\t");
});

test("control characters from far away never reach the terminal", () => {
  assert.equal(plain("ssh\u001b[2Jd\u202e\r\n"), "ssh\ufffd[2Jd\ufffd\ufffd\ufffd");
  assert.equal(renderTable([{ title: "jail" }], [["\u001b]0;x\u0007"]]), "JAIL\n\ufffd]0;x\ufffd");
});

test("times and numbers are humanized", () => {
  const now = 1_790_000_000_000;
  assert.equal(humanMoment(now - 125_000, now), "2m5s ago");
  assert.equal(humanMoment(now + 7_500_000, now), "in 2h5m");
  assert.equal(humanMoment(now + 400, now), "now");
  assert.equal(humanMoment(0, now), "(none)");
  assert.equal(humanSeconds(93_784), "1d2h");
  assert.equal(utcTime(now), "2026-09-21 14:13:20");
  assert.equal(utcTime(0), "(none)");
  assert.deepEqual([850, 1_250, 3_400_000].map(humanMicroseconds), ["850 us", "1.3 ms", "3.4 s"]);
  assert.deepEqual([7, 1_234, 1_234_567].map(humanCount), ["7", "1 234", "1 234 567"]);
});
