import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import type { Backend } from "./backend.ts";
import { BackendError, type BackendErrorCode, remedyFor } from "./backend-error.ts";
import { type Candidate, chooseBackend } from "./choose-backend.ts";
import { createDryRunBackend } from "./dry-run/dry-run-backend.ts";

const clock = createVirtualClock();

test("the first backend that works is taken, and the log says why not one before it", async () => {
  const { lines, log } = logFixture();
  const candidates = [failing("ipset", "iptables-missing"), working("nftables"), working("blackhole")];
  assert.equal((await chooseBackend(candidates, "the first that works", log)).name, "nftables");
  const { event, backend, because, passedOver } = JSON.parse(lines[0]!);
  assert.deepEqual(
    { event, backend, because, passedOver },
    {
      event: "firewall.backend_chosen",
      backend: "nftables",
      because: "the first that works",
      passedOver: { ipset: "ipset can't" },
    },
  );
});

test("where none works the error names everything that is missing, each with its remedy", async () => {
  const candidates = [failing("ipset", "kernel-sets-missing"), failing("nftables", "nftables-missing")];
  await assert.rejects(chooseBackend(candidates, "", logFixture().log), {
    code: "no-backend",
    message: /ipset: ipset can't \(load .*ip_set.*\n *nftables: nftables can't \(load .*modprobe nf_tables/,
    hint: /dry-run/,
  });
});

test("one that was asked for by name fails with its own words", async () => {
  const forced = chooseBackend([failing("ipset", "kernel-sets-missing")], "agent.yaml", logFixture().log);
  await assert.rejects(forced, { code: "kernel-sets-missing", message: "ipset can't" });
});

test("without permission no other is tried: it may no more", async () => {
  const candidates = [failing("ipset", "no-permission"), working("nftables")];
  await assert.rejects(chooseBackend(candidates, "", logFixture().log), { code: "no-permission" });
});

function working(name: Backend["name"]): Candidate {
  return { name, open: async () => ({ ...createDryRunBackend(clock), name }) };
}

function failing(name: Backend["name"], code: BackendErrorCode): Candidate {
  return { name, open: () => Promise.reject(new BackendError(code, `${name} can't`, remedyFor(code))) };
}

function logFixture() {
  const lines: string[] = [];
  return { lines, log: createLog((line) => lines.push(line), clock, "info") };
}
