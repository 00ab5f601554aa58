/** Verdicts, hooks and reaches of nftables' rules with real packets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { arrives, isDropped } from "../../../../test/support/fleet/packets.ts";
import { loadNetlink } from "../../drivers/netlink.ts";
import type { Verdict } from "../backend.ts";
import { ruleFixture } from "../conformance.fixture.ts";
import type { EntryHook } from "../ipset/rule-text.ts";
import { openPacketStage, type PacketStage, PEER, sh, WITNESS } from "../packet-stage.fixture.ts";
import {
  answersAreLost,
  enforcing,
  listPeer,
  type OpenHooked,
  portsAreClosed,
  rejectedIsTold,
} from "../verdict-cases.fixture.ts";
import { openNftablesBackend } from "./nftables-backend.ts";

const skip = process.geteuid?.() === 0 ? false : "needs root";
const VERDICTS: readonly Verdict[] = ["drop", "reject"];
const HOOKS: readonly EntryHook[] = ["conntrack", "raw"];
const open: OpenHooked = (hook) => openNftablesBackend({ loadNetlink, clock: systemClock, log: silentLog, hook });

test("nftables", { skip }, async (t) => {
  await using stage = await openPacketStage();
  for (const hook of HOOKS) {
    for (const verdict of VERDICTS) {
      await t.test(`${hook}, ${verdict}: nothing of a listed source gets in`, () =>
        nothingGetsIn(stage, hook, verdict),
      );
    }
  }
  for (const hook of HOOKS) {
    await t.test(`${hook}: who is rejected is told so`, () => rejectedIsTold(open, stage, hook));
  }
  await t.test("another hook or verdict takes its place without a packet getting in", () => nothingBetween(stage));
  await t.test("before conntrack, answers of a listed address are lost; others' connections work", () =>
    answersAreLost(open, stage),
  );
  await t.test("many ports and ranges are closed, TCP and UDP, IPv4 and IPv6, and no others", () =>
    portsAreClosed(open, stage),
  );
});

async function nothingGetsIn(stage: PacketStage, hook: EntryHook, verdict: Verdict): Promise<void> {
  await arrives(stage.receiver, PEER.v4);
  await using backend = await enforcing(open, hook, { ...ruleFixture, verdict });
  await listPeer(backend, stage);
  assert.ok(await isDropped(stage.receiver, PEER.v4, WITNESS.v4));
  assert.ok(await isDropped(stage.receiver, PEER.v6, WITNESS.v6));
  assert.ok(await isDropped(stage.innerReceiver, PEER.v4, WITNESS.v4));
  assert.match(sh("nft list chain ip fleetban fleetban-in"), hook === "raw" ? /priority raw/ : /priority mangle/);
}

async function nothingBetween(stage: PacketStage): Promise<void> {
  const states = HOOKS.flatMap((hook) => VERDICTS.map((verdict) => ({ hook, rule: { ...ruleFixture, verdict } })));
  await using first = await enforcing(open, "conntrack", ruleFixture);
  await listPeer(first, stage);
  const seen = stage.receiver.count(PEER.v4);
  for (const { hook, rule } of [...states, ...states.toReversed()]) {
    await using _next = await enforcing(open, hook, rule, "stay");
  }
  await stage.settle();
  assert.equal(stage.receiver.count(PEER.v4), seen);
}
