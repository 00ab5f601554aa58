/** What the rule does to real packets: a server (this process), a listed peer, a witness who is never listed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import type { Host } from "../../../../test/support/fleet/host.ts";
import { createNetwork, type Network } from "../../../../test/support/fleet/network.ts";
import {
  arrives,
  isDropped,
  type Receiver,
  startReceiver,
  startSender,
} from "../../../../test/support/fleet/packets.ts";
import { enterNetns } from "../../../../test/support/netns.ts";
import { loadNetlink } from "../../drivers/netlink.ts";
import { spawn } from "../../drivers/spawn.ts";
import type { Backend, DenyRule } from "../backend.ts";
import { add, createPairs, remove, ruleFixture } from "../conformance.fixture.ts";
import { openIpsetBackend } from "./ipset-backend.ts";

const skip = process.geteuid?.() === 0 ? false : "needs root";

const SERVER = { v4: "45.33.1.1", published: "45.33.1.2", v6: "2a01:4f8:1::1" };
const PEER = { v4: "45.33.9.9", v6: "2a01:4f8:1::9" };
const WITNESS = { v4: "45.33.9.10", v6: "2a01:4f8:1::10" };
const INNER = "45.33.9.20"; // behind a published address of the server

let network: Network;
let server: Host;
let peer: Host;
let witness: Host;
let receiver: Receiver;
let innerReceiver: Receiver;
let backend: Backend;
let leaveServer: () => void;

before(async () => {
  if (skip !== false) return;
  network = await createNetwork();
  server = await network.host("server", [`${SERVER.v4}/16`, `${SERVER.published}/16`, `${SERVER.v6}/64`]);
  peer = await network.host("peer", [`${PEER.v4}/16`, `${PEER.v6}/64`]);
  witness = await network.host("witness", [`${WITNESS.v4}/16`, `${WITNESS.v6}/64`]);
  const inner = await network.host("inner", [`${INNER}/16`]);
  receiver = await startReceiver(server);
  innerReceiver = await startReceiver(inner);
  for (const host of [peer, witness]) startSender(host, [SERVER.v4, SERVER.published, SERVER.v6], 5);
  leaveServer = enterNetns(server.namespace);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  sh(`iptables-nft -t nat -A PREROUTING -d ${SERVER.published} -p udp -j DNAT --to-destination ${INNER}`);
  backend = await openIpsetBackend({ loadNetlink, spawn, clock: systemClock, log: silentLog });
});

beforeEach(async () => {
  if (skip !== false) return;
  await backend.uninstall();
  await createPairs(backend);
  await backend.ensureRules([ruleFixture]);
});

after(async () => {
  if (skip !== false) return;
  await backend.close();
  leaveServer(); // who ends a host ends every process in it
  await network[Symbol.asyncDispose]();
});

test("a listed source's packets are dropped, IPv4 and IPv6, and let in again when it is removed", {
  skip,
}, async () => {
  await arrives(receiver, PEER.v4);
  await arrives(receiver, PEER.v6);
  await list(PEER.v4);
  await list(PEER.v6);
  assert.ok(await isDropped(receiver, PEER.v4, WITNESS.v4));
  assert.ok(await isDropped(receiver, PEER.v6, WITNESS.v6));
  await backend.apply([remove(ruleFixture.deny[4], PEER.v4), remove(ruleFixture.deny[6], PEER.v6)]);
  await arrives(receiver, PEER.v4);
  await arrives(receiver, PEER.v6);
});

test("a hole in a listed network lets one address in and nobody else", { skip }, async () => {
  await backend.apply([add(ruleFixture.except[0]![4], WITNESS.v4)]);
  await list("45.33.9.0/24");
  assert.ok(await isDropped(receiver, PEER.v4, WITNESS.v4));
});

test("a listed source reaches no published port behind the server either", { skip }, async () => {
  await arrives(innerReceiver, PEER.v4);
  await list(PEER.v4);
  assert.ok(await isDropped(innerReceiver, PEER.v4, WITNESS.v4));
});

test("a listed source's packets are dropped where connections are not tracked", { skip }, async () => {
  sh(`iptables-nft -t raw -A PREROUTING -d ${SERVER.v4} -p udp -j CT --notrack`);
  try {
    await arrives(receiver, PEER.v4);
    await list(PEER.v4);
    assert.ok(await isDropped(receiver, PEER.v4, WITNESS.v4));
  } finally {
    sh("iptables-nft -t raw -F");
  }
});

test("a rule for some ports drops those and lets the others in", { skip }, async () => {
  await list(PEER.v4);
  await backend.ensureRules([reaching(9_999)]);
  await settle();
  assert.ok(await isDropped(receiver, PEER.v4, WITNESS.v4));
  await backend.ensureRules([reaching(9_998)]);
  await arrives(receiver, PEER.v4);
});

test("replacing the rule never lets a packet in", { skip }, async () => {
  await list(PEER.v4);
  assert.ok(await isDropped(receiver, PEER.v4, WITNESS.v4, 1));
  const seen = receiver.count(PEER.v4);
  for (const rule of [[ruleFixture, reaching(1)], [ruleFixture], [reaching(2), ruleFixture], [ruleFixture]]) {
    await backend.ensureRules(rule);
  }
  assert.ok(await isDropped(receiver, PEER.v4, WITNESS.v4, 1));
  assert.equal(receiver.count(PEER.v4), seen);
});

test("a connection that the server opens to a listed address works", { skip }, async () => {
  for (const address of [PEER.v4, PEER.v6]) {
    await list(address);
    sh("ip neigh flush all");
    const { near, far, close } = await connection(server, peer, address);
    assert.equal(await carries(near, far), true);
    assert.equal(await carries(far, near), true);
    close();
  }
});

test("an established connection of a newly listed source is cut", { skip }, async () => {
  const cut = await connection(peer, server, SERVER.v4);
  const stays = await connection(witness, server, SERVER.v4);
  assert.equal(await carries(cut.near, cut.far), true);
  await list(PEER.v4);
  const received = collect(cut.far);
  cut.near.write("nobody reads this");
  for (let times = 0; times < 20; times += 1) assert.equal(await carries(stays.near, stays.far), true);
  assert.equal(received(), "");
  cut.close();
  stays.close();
});

test("the server reaches its own listed addresses over loopback", { skip }, async () => {
  await list(SERVER.v4);
  const { near, far, close } = await connection(server, server, SERVER.v4);
  assert.equal(await carries(near, far), true);
  close();
});

async function list(prefix: string): Promise<void> {
  const set = ruleFixture.deny[prefix.includes(":") ? 6 : 4];
  assert.deepEqual(await backend.apply([add(set, prefix)]), []);
  await settle();
}

/** What had passed the rule before is counted when packets that came after it are. */
async function settle(): Promise<void> {
  for (const each of [receiver, innerReceiver]) await arrives(each, WITNESS.v4);
}

function reaching(port: number): DenyRule {
  return { ...ruleFixture, reach: { kind: "ports", protocol: "udp", ranges: [{ first: port, last: port }] } };
}

/** A TCP connection from one host to another: a socket stays in the namespace in which it was made. */
async function connection(
  from: Host,
  to: Host,
  address: string,
): Promise<{ near: Socket; far: Socket; close(): void }> {
  const leaveTo = enterNetns(to.namespace);
  const listener = createServer().listen(0, address);
  await once(listener, "listening", soon()).finally(leaveTo);
  const bound = listener.address();
  assert.ok(bound !== null && typeof bound === "object");
  const leaveFrom = enterNetns(from.namespace);
  const near = connect(bound.port, address);
  const ends = Promise.all([once(listener, "connection", soon()), once(near, "connect", soon())]);
  const [[far]] = (await ends.finally(leaveFrom)) as [[Socket], unknown];
  const close = () => {
    for (const socket of [near, far]) socket.destroy();
    listener.close();
  };
  return { near, far, close };
}

/** Whether what is written on one end arrives at the other. */
async function carries(one: Socket, other: Socket): Promise<boolean> {
  const arrived = once(other, "data", soon());
  one.write("fleetban");
  const [data] = await arrived;
  return String(data) === "fleetban";
}

function soon(): { signal: AbortSignal } {
  return { signal: AbortSignal.timeout(5_000) };
}

function collect(socket: Socket): () => string {
  let text = "";
  socket.on("data", (data) => {
    text += data;
  });
  return () => text;
}

function sh(script: string): void {
  execFileSync("sh", ["-ec", script]);
}
