import assert from "node:assert/strict";
import { test } from "node:test";
import { WELL } from "../health/status.fixture.ts";
import type { AgentStatus } from "../health/status.ts";
import { renderStatus } from "./status.ts";

test("status shows what is enforced, from where, and that nothing waits", () => {
  const text = renderStatus(WELL);
  assert.match(text, /coordinator: +fleet\.example:7741, connected 59m59s ago/);
  assert.match(text, /clock: +agrees with the ledger/);
  assert.match(text, /fleet +deny +7 +12 345 +12 345/);
  assert.match(text, /enforcing: +yes$/m);
  assert.match(text, /spool: +empty/);
  assert.match(text, /sightings: +3 by fail2ban/);
});

test("an agent of another version, whose status has another form, is told to be restarted", () => {
  const older = { version: WELL.version, name: WELL.name, firewall: WELL.firewall } as AgentStatus;
  assert.throws(() => renderStatus(older), { code: "status-unreadable", hint: /systemctl restart fleetban-agent/ });
});

test("an agent in dry-run says that it enforces nothing", () => {
  const firewall = { ...WELL.firewall, backend: "dry-run" } as const;
  const text = renderStatus({ ...WELL, firewall });
  assert.match(text, /enforcing: +no: dry-run counts, and drops nothing/);
  assert.match(text, /firewall: +none: nothing is put into the kernel/);
});

test("what is wrong stands at the end, with what it costs and what to do", () => {
  const warnables = [{ code: "jail-left-out", sinceMs: WELL.nowMs - 60_000, detail: "dovecot" }] as const;
  const tail = renderStatus({ ...WELL, warnables })
    .split("\n")
    .slice(-2);
  assert.equal(tail[0], "warn: jail-left-out since 1m ago (dovecot)");
  assert.match(tail[1] ?? "", /its bans are found minutes late, by asking; add `fleetban`/);
});

test("a clock that is off is told by how much and in which direction", () => {
  assert.match(renderStatus({ ...WELL, clockSkewMs: -125_000 }), /2m5s behind; times are corrected/);
});

test("an agent that waits for its coordinator says why and until when", () => {
  const link = { kind: "waiting", retryAtMs: WELL.nowMs + 5_000, attempt: 2, code: "x", cause: "refused" } as const;
  assert.match(renderStatus({ ...WELL, link }), /not connected: refused; next try in 5s/);
});
