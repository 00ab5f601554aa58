import assert from "node:assert/strict";
import { test } from "node:test";
import { readLocalTime } from "./local-time.ts";
import { readLogLine } from "./log-line.ts";

process.env.TZ = "Europe/Berlin"; // this file's process only

const line = (message: string, time = "2026-11-21 10:00:00,250", from = "actions         [42]: NOTICE ") =>
  `${time} fail2ban.${from} ${message}`;
const AT = Date.UTC(2026, 10, 21, 9, 0, 0, 250);

const LINES: readonly [string, unknown][] = [
  ["[sshd] Ban 192.0.2.1", { kind: "ban", atMs: AT, jail: "sshd", id: "192.0.2.1" }],
  ["[sshd] Ban 2001:db8::1", { kind: "ban", atMs: AT, jail: "sshd", id: "2001:db8::1" }],
  ["[sshd] Ban foo;bar baz", { kind: "ban", atMs: AT, jail: "sshd", id: "foo;bar baz" }],
  ["[sshd] Ban ", { kind: "ban", atMs: AT, jail: "sshd", id: "" }],
  [`[we"ird $(x) 'q'] Ban 192.0.2.1`, { kind: "ban", atMs: AT, jail: `we"ird $(x) 'q'`, id: "192.0.2.1" }],
  ["[sshd] Restore Ban 192.0.2.1", { kind: "restored", atMs: AT, jail: "sshd", id: "192.0.2.1" }],
  ["[sshd] Unban 192.0.2.1", { kind: "end", atMs: AT, jail: "sshd", id: "192.0.2.1" }],
  ["[sshd] Repeal Ban 192.0.2.1", { kind: "stop", atMs: AT, jail: "sshd" }],
  ["[sshd] Flush ticket(s) with fleetban", { kind: "stop", atMs: AT, jail: "sshd" }],
  ["Jail 'sshd' stopped", { kind: "stop", atMs: AT, jail: "sshd" }],
  ["Shutdown in progress...", { kind: "stop", atMs: AT, jail: undefined }],
  [
    "[sshd] Increase Ban 192.0.2.1 (3 # 2m 40s -> 2026-11-21 10:02:40)",
    { kind: "prolong", atMs: AT, jail: "sshd", id: "192.0.2.1", banCount: 3, untilMs: AT + 159_750 },
  ],
  [
    "[sshd] Increase Ban 192.0.2.1 (9 # permanent -> infinite)",
    { kind: "prolong", atMs: AT, jail: "sshd", id: "192.0.2.1", banCount: 9, untilMs: undefined },
  ],
];

for (const [message, value] of LINES) {
  test(`reads \`${message}\``, () => assert.deepEqual(readLogLine(line(message)), value));
}

const IGNORED = [
  "[sshd] Found 192.0.2.1 - 2026-11-21 10:00:00",
  "[sshd] 192.0.2.1 already banned",
  "[sshd] Found 192.0.2.1, bad - 2026-11-21 10:00:00, 1 # -> 2.0, Ban",
  "Jail 'sshd' reloaded",
  "stderr: 'sh: [x] Ban 192.0.2.9'",
  "",
];

for (const message of IGNORED) {
  test(`\`${message}\` says nothing that matters`, () => assert.equal(readLogLine(line(message)), undefined));
}

test("a traceback and a line of somebody else say nothing", () => {
  for (const text of [
    "Traceback (most recent call last):",
    "  [sshd] Ban 192.0.2.1",
    "[sshd] Ban 192.0.2.1",
    "\u0000\uFFFD",
  ]) {
    assert.equal(readLogLine(text), undefined);
  }
});

test("in the hour that occurs twice a line is not before the line before it", () => {
  const first = readLocalTime("2026-10-25 02:30:00") as number;
  assert.equal(first, Date.UTC(2026, 9, 25, 0, 30), "without a line before: the first of the two");
  assert.equal(readLocalTime("2026-10-25 02:40:00", first), first + 600_000);
  const beforeChange = Date.UTC(2026, 9, 25, 0, 59, 50);
  assert.equal(readLocalTime("2026-10-25 02:00:05", beforeChange), Date.UTC(2026, 9, 25, 1, 0, 5));
  assert.equal(readLocalTime("2026-10-25 03:00:00", beforeChange), Date.UTC(2026, 9, 25, 2, 0));
});

test("the hour that does not occur, and what is no time, do no harm", () => {
  assert.equal(typeof readLocalTime("2026-03-29 02:30:00"), "number");
  assert.equal(readLocalTime("infinite"), undefined);
  assert.equal(readLocalTime("2026-13-45 99:99:99,000"), undefined);
});
