import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogInterpreter } from "./interpret.ts";
import { createLineFraming } from "./line-framing.ts";

const knowledge = { banSecondsOf: () => 600, isAsked: () => false };

function read(lines: readonly [string, string][], afterMs?: number) {
  const interpreter = createLogInterpreter(knowledge);
  const seen = lines.flatMap(([time, message]) => {
    return interpreter.read(`2026-11-21 ${time} fail2ban.actions [1]: NOTICE  ${message}`);
  });
  const late = interpreter.release(new Date(2026, 10, 21, 23).getTime() + (afterMs ?? 0));
  return [...seen, ...late].filter(({ kind }) => kind !== "nothing");
}

const causes = (seen: ReturnType<typeof read>) =>
  seen.map((one) => (one.kind === "end" ? `end ${one.cause}` : one.kind));

test("an unban alone may be a person's", () => {
  assert.deepEqual(
    causes(
      read([
        ["10:00:00,000", "[a] Ban 192.0.2.1"],
        ["10:01:00,000", "[a] Unban 192.0.2.1"],
      ]),
    ),
    ["ban", "end time-or-hand"],
  );
});

test("unbans of a stop pardon nobody, whether the log says so before them or after", () => {
  const before = read([
    ["10:00:00,000", "[a] Flush ticket(s) with x"],
    ["10:00:00,100", "[a] Unban 192.0.2.1"],
  ]);
  const after = read([
    ["10:00:00,000", "[a] Unban 192.0.2.1"],
    ["10:00:01,000", "Jail 'a' stopped"],
  ]);
  const shutdown = read([
    ["10:00:00,000", "Shutdown in progress..."],
    ["10:00:20,000", "[a] Unban 192.0.2.1"],
  ]);
  assert.deepEqual([before, after, shutdown].map(causes), [["end stopped"], ["end stopped"], ["end stopped"]]);
});

test("what is unbanned after the start that follows a stop may be a person's again", () => {
  for (const start of ["Jail 'a' started", "Starting Fail2ban v1.0.2"]) {
    const seen = read([
      ["10:00:00,000", "Shutdown in progress..."],
      ["10:00:01,000", "[a] Unban 192.0.2.1"],
      ["10:00:02,000", start],
      ["10:00:05,000", "[a] Unban 192.0.2.2"],
      ["10:00:06,000", "Jail 'b' stopped"],
    ]);
    assert.deepEqual(causes(seen), ["end stopped", "end time-or-hand"], start);
  }
});

test("the stop of another jail is none of this one", () => {
  const seen = read([
    ["10:00:00,000", "[a] Unban 192.0.2.1"],
    ["10:00:01,000", "Jail 'b' stopped"],
  ]);
  assert.deepEqual(causes(seen), ["end time-or-hand"]);
});

test("a ban anew decides the end before it", () => {
  const seen = read([
    ["10:00:00,000", "[a] Unban 192.0.2.1"],
    ["10:00:00,500", "[a] Ban 192.0.2.1"],
  ]);
  assert.deepEqual(causes(seen), ["end time-or-hand", "ban"]);
});

test("junk ids are counted, not believed", () => {
  assert.deepEqual(
    read([
      ["10:00:00,000", "[a] Ban a b;c"],
      ["10:00:00,000", "[a] Ban "],
    ]),
    [
      { kind: "junk", source: "log" },
      { kind: "junk", source: "log" },
    ],
  );
});

test("lines come whole however they are cut, and one without end does not fill the memory", () => {
  const framing = createLineFraming(100);
  assert.deepEqual(framing.push(Buffer.from("one\ntw")), [{ record: "one", end: 104 }]);
  assert.deepEqual(framing.push(Buffer.from("o\n")), [{ record: "two", end: 108 }]);
  for (let piece = 0; piece < 100; piece += 1) assert.deepEqual(framing.push(Buffer.alloc(10_000, "x")), []);
  assert.deepEqual(framing.push(Buffer.from("xx\nthree\n")), [{ record: "three", end: 1_000_117 }]);
});
