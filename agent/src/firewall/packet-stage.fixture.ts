/**
 * A stage for real packets: a server (the test's process is in it), a peer to be listed, a witness who never is, and an
 * inner host behind a published address of the server, as a container is. Peer and witness send datagrams all the time.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Host } from "../../../test/support/fleet/host.ts";
import { createNetwork } from "../../../test/support/fleet/network.ts";
import { arrives, type Receiver, startReceiver, startSender } from "../../../test/support/fleet/packets.ts";
import { enterNetns } from "../../../test/support/netns.ts";

export const SERVER = { v4: "45.33.1.1", published: "45.33.1.2", v6: "2a01:4f8:1::1" };
export const PEER = { v4: "45.33.9.9", v6: "2a01:4f8:1::9" };
export const WITNESS = { v4: "45.33.9.10", v6: "2a01:4f8:1::10" };
export const INNER = "45.33.9.20";
/** Longer than a first packet that got lost by itself. */
const SILENT_MS = 2_500;
/** What does come comes at once, on a machine that has nothing else to do. */
const ANSWERS_WITHIN_MS = 60_000;

export interface PacketStage extends AsyncDisposable {
  readonly server: Host;
  readonly peer: Host;
  readonly witness: Host;
  readonly inner: Host;
  readonly receiver: Receiver;
  readonly innerReceiver: Receiver;
  /** What had passed the rules before is counted when packets that came after it are. */
  settle(): Promise<void>;
}

/** `iptables` makes the DNAT: of the two stores it is the one that a backend will choose. */
export async function openPacketStage(iptables = "iptables-nft", everyMs = 5): Promise<PacketStage> {
  const network = await createNetwork();
  try {
    const server = await network.host("server", [`${SERVER.v4}/16`, `${SERVER.published}/16`, `${SERVER.v6}/64`]);
    const peer = await network.host("peer", [`${PEER.v4}/16`, `${PEER.v6}/64`]);
    const witness = await network.host("witness", [`${WITNESS.v4}/16`, `${WITNESS.v6}/64`]);
    const inner = await network.host("inner", [`${INNER}/16`]);
    const receiver = await startReceiver(server);
    const innerReceiver = await startReceiver(inner);
    for (const host of [peer, witness]) startSender(host, [SERVER.v4, SERVER.published, SERVER.v6], everyMs);
    const leave = enterNetns(server.namespace);
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
    // One sender's port unreachables are one a second otherwise, and the senders use them up.
    for (const path of ["ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"]) writeFileSync(`/proc/sys/net/${path}`, "0");
    for (const protocol of ["udp", "tcp"]) {
      sh(`${iptables} -t nat -A PREROUTING -d ${SERVER.published} -p ${protocol} -j DNAT --to-destination ${INNER}`);
    }
    // Its answers come back this way, though the peers are its neighbors.
    sh(`${iptables} -t nat -A POSTROUTING -d ${INNER} -p tcp -j MASQUERADE`);
    return {
      ...{ server, peer, witness, inner, receiver, innerReceiver },
      async settle() {
        for (const each of [receiver, innerReceiver]) await arrives(each, WITNESS.v4);
        await arrives(receiver, WITNESS.v6);
      },
      async [Symbol.asyncDispose]() {
        leave(); // who ends a host ends every process in it
        await network[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

/** Takes connections on a host: a socket stays in the namespace in which it was made. */
export async function listen(host: Host, address: string): Promise<{ readonly server: Server; readonly port: number }> {
  const leave = enterNetns(host.namespace);
  const server = createServer().listen(0, address);
  await once(server, "listening", soon()).finally(leave);
  const bound = server.address();
  assert.ok(bound !== null && typeof bound === "object");
  return { server, port: bound.port };
}

/** "connected", the code of the error that an answer makes, or "silence"; where silence is expected it is waited for briefly. */
export async function tryConnection(
  from: Host,
  address: string,
  port: number,
  expected: "an answer" | "silence" = "an answer",
): Promise<string> {
  const leave = enterNetns(from.namespace);
  const socket = connect(port, address);
  try {
    await once(socket, "connect", {
      signal: AbortSignal.timeout(expected === "silence" ? SILENT_MS : ANSWERS_WITHIN_MS),
    });
    return "connected";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ABORT_ERR" ? "silence" : String(code);
  } finally {
    leave();
    socket.destroy();
  }
}

export interface Connection {
  readonly near: Socket;
  readonly far: Socket;
  close(): void;
}

export async function openConnection(from: Host, to: Host, address: string): Promise<Connection> {
  const { server, port } = await listen(to, address);
  const leave = enterNetns(from.namespace);
  const near = connect(port, address);
  const ends = Promise.all([once(server, "connection", soon()), once(near, "connect", soon())]);
  const [[far]] = (await ends.finally(leave)) as [[Socket], unknown];
  const close = () => {
    for (const socket of [near, far]) socket.destroy();
    server.close();
  };
  return { near, far, close };
}

/** Whether what is written on one end arrives at the other. */
export async function carries(one: Socket, other: Socket): Promise<boolean> {
  const arrived = once(other, "data", soon());
  one.write("fleetban");
  const [data] = await arrived;
  return String(data) === "fleetban";
}

export function collect(socket: Socket): () => string {
  let text = "";
  socket.on("data", (data) => {
    text += data;
  });
  return () => text;
}

/** How often what waits in a socket was sent again. */
export async function timesRepeated(on: Host, socket: Socket): Promise<number> {
  const said = await on.run("ss", ["-tinH", "sport", "=", `:${socket.localPort}`]);
  return Number(/ backoff:(\d+)/.exec(said)?.[1] ?? 0);
}

export function sh(script: string): string {
  return execFileSync("sh", ["-ec", script], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function soon(): { signal: AbortSignal } {
  return { signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) };
}
