/** Verdicts, hooks and reaches with real packets, in both of iptables' stores. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import type { PortRange } from "@fleetban/proto/model/listing";
import { arrives, isDropped } from "../../../../test/support/fleet/packets.ts";
import { enterNetns } from "../../../../test/support/netns.ts";
import { loadNetlink } from "../../drivers/netlink.ts";
import { spawn } from "../../drivers/spawn.ts";
import type { DenyRule, Verdict } from "../backend.ts";
import { add, createPairs, ruleFixture } from "../conformance.fixture.ts";
import {
  carries,
  listen,
  openConnection,
  openPacketStage,
  type PacketStage,
  PEER,
  SERVER,
  sh,
  tryConnection,
  WITNESS,
} from "../packet-stage.fixture.ts";
import { openIpsetBackend } from "./ipset-backend.ts";
import type { EntryHook } from "./rule-text.ts";

const skip = process.geteuid?.() === 0 ? false : "needs root";
const VERDICTS: readonly Verdict[] = ["drop", "reject"];
const HOOKS: readonly EntryHook[] = ["conntrack", "raw"];
const PORT = 9_999; // where datagrams go

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
    for (const hook of HOOKS) await t.test(`${hook}: who is rejected is told so`, () => rejectedIsTold(stage, hook));
    await t.test("another hook and verdict leave nothing of the former one", () => nothingIsLeft(stage, flavor));
    await t.test("before conntrack, answers of a listed address are lost; others' connections work", () =>
      answersAreLost(stage),
    );
    await t.test("many ports and ranges are closed, TCP and UDP, IPv4 and IPv6, and no others", () =>
      portsAreClosed(stage),
    );
  });
}

async function nothingGetsIn(stage: PacketStage, flavor: string, hook: EntryHook, verdict: Verdict): Promise<void> {
  const { receiver, innerReceiver } = stage;
  await arrives(receiver, PEER.v4);
  await using backend = await enforcing(hook, { ...ruleFixture, verdict });
  await list(backend, stage);
  const isShut = async () => {
    assert.ok(await isDropped(receiver, PEER.v4, WITNESS.v4));
    assert.ok(await isDropped(receiver, PEER.v6, WITNESS.v6));
    assert.ok(await isDropped(innerReceiver, PEER.v4, WITNESS.v4));
  };
  await isShut();
  sh(`iptables-${flavor} -F INPUT; iptables-${flavor} -F FORWARD; ip6tables-${flavor} -F INPUT`);
  await isShut();
  assert.match(sh(`iptables-${flavor}-save`), new RegExp(`\\*${hook === "raw" ? "raw" : "mangle"}\n[^]*fleetban-a-v4`));
}

async function rejectedIsTold(stage: PacketStage, hook: EntryHook): Promise<void> {
  const { server, inner, peer, witness } = stage;
  await using backend = await enforcing(hook, { ...ruleFixture, verdict: "reject" });
  await list(backend, stage);
  const listeners = [await listen(server, SERVER.v4), await listen(server, SERVER.v6), await listen(inner, "0.0.0.0")];
  try {
    for (const [index, address] of [SERVER.v4, SERVER.v6, SERVER.published].entries()) {
      const { port } = listeners[index]!;
      assert.equal(await tryConnection(peer, address, port), "ECONNREFUSED", address);
      assert.equal(await tryConnection(witness, address, port), "connected", address);
    }
  } finally {
    for (const { server: listener } of listeners) listener.close();
  }
  for (const address of [SERVER.v4, SERVER.v6, SERVER.published]) {
    assert.equal(await answerToDatagram(stage, address), "ECONNREFUSED", address);
  }
}

/** Port unreachable, as the sender's socket hears of it. */
async function answerToDatagram({ peer }: PacketStage, address: string): Promise<string> {
  const leave = enterNetns(peer.namespace);
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  try {
    socket.connect(PORT, address);
    await once(socket, "connect");
    const answered = once(socket, "error", { signal: AbortSignal.timeout(5_000) });
    socket.send("fleetban", () => undefined);
    const [error] = (await answered) as [NodeJS.ErrnoException];
    return String(error.code);
  } finally {
    leave();
    socket.close();
  }
}

async function nothingIsLeft(stage: PacketStage, flavor: string): Promise<void> {
  const states = HOOKS.flatMap((hook) => VERDICTS.map((verdict) => ({ hook, rule: { ...ruleFixture, verdict } })));
  const tables = () =>
    sh(`iptables-${flavor}-save; ip6tables-${flavor}-save`)
      .split(/^\*/m)
      .filter((section) => section.includes(":fleetban-in "))
      .map((section) => section.split("\n")[0]);
  const expected = new Map([
    ["conntrack drop", ["mangle"]],
    ["conntrack reject", ["filter", "mangle", "security"]],
    ["raw drop", ["raw"]],
    ["raw reject", ["filter", "mangle", "raw", "security"]],
  ]);
  await using first = await enforcing("conntrack", ruleFixture);
  await list(first, stage);
  const seen = stage.receiver.count(PEER.v4);
  for (const { hook, rule } of [...states, ...states.toReversed()]) {
    await using _next = await enforcing(hook, rule, "stay");
    const found = [...new Set(tables())].sort();
    assert.deepEqual(found, expected.get(`${hook} ${rule.verdict}`));
  }
  await stage.settle();
  assert.equal(stage.receiver.count(PEER.v4), seen);
  await first.uninstall();
  assert.deepEqual(tables(), []);
}

async function answersAreLost(stage: PacketStage): Promise<void> {
  await using backend = await enforcing("raw", ruleFixture);
  await list(backend, stage);
  const { server: listener, port } = await listen(stage.peer, PEER.v4);
  assert.equal(await tryConnection(stage.server, PEER.v4, port), "silence");
  listener.close();
  const { near, far, close } = await openConnection(stage.server, stage.witness, WITNESS.v4);
  assert.equal(await carries(near, far), true);
  assert.equal(await carries(far, near), true);
  close();
}

async function portsAreClosed(stage: PacketStage): Promise<void> {
  const { server, peer, receiver } = stage;
  // 9 ranges and 12 ports: 30 places, more than one rule has.
  const some: PortRange[] = [
    ...Array.from({ length: 9 }, (_, at) => ({ first: 100 * at + 1, last: 100 * at + 50 })),
    ...Array.from({ length: 12 }, (_, at) => ({ first: 2_000 + at, last: 2_000 + at })),
  ];
  const reaching = (protocol: string, ranges: readonly PortRange[]): DenyRule => ({
    ...ruleFixture,
    reach: { kind: "ports", protocol, ranges },
    verdict: "reject",
  });
  await using backend = await enforcing("conntrack", reaching("udp", [...some, { first: PORT, last: PORT }]));
  await list(backend, stage);
  assert.ok(await isDropped(receiver, PEER.v4, WITNESS.v4));
  assert.ok(await isDropped(receiver, PEER.v6, WITNESS.v6));
  await backend.ensureRules([reaching("udp", some), reaching("tcp", [{ first: PORT, last: PORT }])]);
  await arrives(receiver, PEER.v4);
  await arrives(receiver, PEER.v6);
  for (const address of [SERVER.v4, SERVER.v6]) {
    const { server: listener, port } = await listen(server, address);
    const around = { first: port - 1, last: port + 1 };
    try {
      await backend.ensureRules([reaching("tcp", [...some, around]), reaching("udp", some)]);
      assert.equal(await tryConnection(peer, address, port), "ECONNREFUSED");
      await backend.ensureRules([reaching("tcp", some), reaching("udp", [around])]);
      assert.equal(await tryConnection(peer, address, port), "connected");
    } finally {
      listener.close();
    }
  }
}

type Enforcing = Awaited<ReturnType<typeof enforcing>>;

async function enforcing(hook: EntryHook, rule: DenyRule, end: "uninstall" | "stay" = "uninstall") {
  const backend = await openIpsetBackend({ loadNetlink, spawn, clock: systemClock, log: silentLog, hook });
  await createPairs(backend);
  await backend.ensureRules([rule]);
  assert.deepEqual(await backend.ruleState([rule]), { kind: "present" });
  return {
    ...backend,
    async [Symbol.asyncDispose]() {
      if (end === "uninstall") await backend.uninstall();
      await backend.close();
    },
  };
}

async function list(backend: Enforcing, stage: PacketStage): Promise<void> {
  const ops = [add(ruleFixture.deny[4], PEER.v4), add(ruleFixture.deny[6], PEER.v6)];
  assert.deepEqual(await backend.apply(ops), []);
  await stage.settle();
}
