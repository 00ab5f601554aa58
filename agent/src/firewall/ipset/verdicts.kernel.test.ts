/** Verdicts, hooks and reaches with real packets, in both of iptables' stores. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { arrives, isDropped } from "../../../../test/support/fleet/packets.ts";
import { loadNetlink } from "../../drivers/netlink.ts";
import { spawn } from "../../drivers/spawn.ts";
import type { Verdict } from "../backend.ts";
import { ruleFixture } from "../conformance.fixture.ts";
import { openPacketStage, type PacketStage, PEER, sh, WITNESS } from "../packet-stage.fixture.ts";
import {
  answersAreLost,
  enforcing,
  listPeer,
  type OpenHooked,
  portsAreClosed,
  rejectedIsTold,
} from "../verdict-cases.fixture.ts";
import { openIpsetBackend } from "./ipset-backend.ts";
import type { EntryHook } from "./rule-text.ts";

const skip = process.geteuid?.() === 0 ? false : "needs root";
const VERDICTS: readonly Verdict[] = ["drop", "reject"];
const HOOKS: readonly EntryHook[] = ["conntrack", "raw"];
const open: OpenHooked = (hook) => openIpsetBackend({ loadNetlink, spawn, clock: systemClock, log: silentLog, hook });

for (const flavor of ["nft", "legacy"] as const) {
  test(`iptables-${flavor}`, { skip }, async (t) => {
    await using stage = await openPacketStage(`iptables-${flavor}`);
    for (const hook of HOOKS) {
      for (const verdict of VERDICTS) {
        await t.test(`${hook}, ${verdict}: nothing of a listed source gets in, whatever is made of filter`, () =>
          nothingGetsIn(stage, flavor, hook, verdict),
        );
      }
    }
    for (const hook of HOOKS)
      await t.test(`${hook}: who is rejected is told so`, () => rejectedIsTold(open, stage, hook));
    await t.test("another hook and verdict leave nothing of the former one", () => nothingIsLeft(stage, flavor));
    await t.test("before conntrack, answers of a listed address are lost; others' connections work", () =>
      answersAreLost(open, stage),
    );
    await t.test("many ports and ranges are closed, TCP and UDP, IPv4 and IPv6, and no others", () =>
      portsAreClosed(open, stage),
    );
  });
}

async function nothingGetsIn(stage: PacketStage, flavor: string, hook: EntryHook, verdict: Verdict): Promise<void> {
  const { receiver, innerReceiver } = stage;
  await arrives(receiver, PEER.v4);
  await using backend = await enforcing(open, hook, { ...ruleFixture, verdict });
  await listPeer(backend, stage);
  const isShut = async () => {
    assert.ok(await isDropped(receiver, PEER.v4, WITNESS.v4));
    assert.ok(await isDropped(receiver, PEER.v6, WITNESS.v6));
    assert.ok(await isDropped(innerReceiver, PEER.v4, WITNESS.v4));
  };
  await isShut();
  sh(`iptables-${flavor} -F INPUT; iptables-${flavor} -F FORWARD; ip6tables-${flavor} -F INPUT`);
  await isShut();
  // As shorewall and others do it; each of them would take our mark away.
  const marking = ["-t mangle -A INPUT", "-t mangle -A FORWARD", "-t nat -I PREROUTING"];
  for (const rule of marking) sh(`for t in iptables ip6tables; do $t-${flavor} ${rule} -j MARK --set-mark 1; done`);
  try {
    await isShut();
  } finally {
    const removed = marking.map((rule) => rule.replace(/-[AI]/, "-D"));
    for (const rule of removed) sh(`for t in iptables ip6tables; do $t-${flavor} ${rule} -j MARK --set-mark 1; done`);
  }
  assert.match(sh(`iptables-${flavor}-save`), new RegExp(`\\*${hook === "raw" ? "raw" : "mangle"}\n[^]*fleetban-a-v4`));
}

async function nothingIsLeft(stage: PacketStage, flavor: string): Promise<void> {
  const states = HOOKS.flatMap((hook) => VERDICTS.map((verdict) => ({ hook, rule: { ...ruleFixture, verdict } })));
  const tables = () =>
    sh(`iptables-${flavor}-save; ip6tables-${flavor}-save`)
      .split(/^\*/m)
      .filter((section) => section.includes(":fleetban-"))
      .map((section) => section.split("\n")[0]);
  const expected = new Map([
    ["conntrack drop", ["mangle"]],
    ["conntrack reject", ["filter", "mangle", "security"]],
    ["raw drop", ["raw"]],
    ["raw reject", ["filter", "mangle", "raw", "security"]],
  ]);
  await using first = await enforcing(open, "conntrack", ruleFixture);
  await listPeer(first, stage);
  const seen = stage.receiver.count(PEER.v4);
  for (const { hook, rule } of [...states, ...states.toReversed()]) {
    await using _next = await enforcing(open, hook, rule, "stay");
    const found = [...new Set(tables())].sort();
    assert.deepEqual(found, expected.get(`${hook} ${rule.verdict}`));
  }
  await stage.settle();
  assert.equal(stage.receiver.count(PEER.v4), seen);
  await first.uninstall();
  assert.deepEqual(tables(), []);
}
