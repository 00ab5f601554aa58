/** Verdicts, hooks and reaches with real packets: what every backend that makes rules does alike. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { PortRange } from "@fleetban/proto/model/listing";
import { arrives, isDropped } from "../../../test/support/fleet/packets.ts";
import { enterNetns } from "../../../test/support/netns.ts";
import type { Backend, DenyRule } from "./backend.ts";
import { add, createPairs, ruleFixture } from "./conformance.fixture.ts";
import type { EntryHook } from "./ipset/rule-text.ts";
import {
  carries,
  listen,
  openConnection,
  type PacketStage,
  PEER,
  SERVER,
  tryConnection,
  WITNESS,
} from "./packet-stage.fixture.ts";

/** Opens the backend that is tried. */
export type OpenHooked = (hook: EntryHook) => Promise<Backend>;
export type Enforcing = Awaited<ReturnType<typeof enforcing>>;

const PORT = 9_999; // where datagrams go

export async function rejectedIsTold(open: OpenHooked, stage: PacketStage, hook: EntryHook): Promise<void> {
  const { server, inner, peer, witness } = stage;
  await using backend = await enforcing(open, hook, { ...ruleFixture, verdict: "reject" });
  await listPeer(backend, stage);
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
    const answered = once(socket, "error", { signal: AbortSignal.timeout(60_000) });
    socket.send("fleetban", () => undefined);
    const [error] = (await answered) as [NodeJS.ErrnoException];
    return String(error.code);
  } finally {
    leave();
    socket.close();
  }
}

export async function answersAreLost(open: OpenHooked, stage: PacketStage): Promise<void> {
  await using backend = await enforcing(open, "raw", ruleFixture);
  await listPeer(backend, stage);
  const { server: listener, port } = await listen(stage.peer, PEER.v4);
  assert.equal(await tryConnection(stage.server, PEER.v4, port, "silence"), "silence");
  listener.close();
  const { near, far, close } = await openConnection(stage.server, stage.witness, WITNESS.v4);
  assert.equal(await carries(near, far), true);
  assert.equal(await carries(far, near), true);
  close();
}

export async function portsAreClosed(open: OpenHooked, stage: PacketStage): Promise<void> {
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
  await using backend = await enforcing(open, "conntrack", reaching("udp", [...some, { first: PORT, last: PORT }]));
  await listPeer(backend, stage);
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

/** With the sets of `ruleFixture` and one rule. */
export async function enforcing(
  open: OpenHooked,
  hook: EntryHook,
  rule: DenyRule,
  end: "uninstall" | "stay" = "uninstall",
) {
  const backend = await open(hook);
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

/** The peer, by both families. */
export async function listPeer(backend: Enforcing, stage: PacketStage): Promise<void> {
  const ops = [add(ruleFixture.deny[4], PEER.v4), add(ruleFixture.deny[6], PEER.v6)];
  assert.deepEqual(await backend.apply(ops), []);
  await stage.settle();
}
