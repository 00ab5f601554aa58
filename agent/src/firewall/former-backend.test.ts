import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { createDryRunBackend } from "./dry-run/dry-run-backend.ts";
import type { FirewallState } from "./firewall-state.ts";
import { replaceFormerBackends } from "./former-backend.ts";

test("a start that enforces everything at once is left alone while it connects; then the former backends are looked at", async () => {
  const clock = createVirtualClock();
  const opened: string[] = [];
  const open = async () => {
    opened.push("nftables");
    return createDryRunBackend(clock);
  };
  const state = { rules: { kind: "present" }, lists: [] } as unknown as FirewallState;
  const firewall = { state: () => state, settled: async () => undefined, addLocal: () => undefined };
  const others = [{ name: "nftables" as const, open }];
  const replaced = replaceFormerBackends({ others, firewall, clock, log: silentLog }, new AbortController().signal);
  await clock.run(2_900);
  assert.deepEqual(opened, []);
  await clock.run(4_000);
  await replaced;
  assert.deepEqual(opened, ["nftables"]);
});
