/**
 * A network of hosts on one machine: a namespace each, all plugged into one switch, with no way out.
 *
 * Addresses are globally routable ones, as attackers' are; every host reaches every other directly. The link of a host
 * can be cut and healed. Nothing of the machine's own network or firewall is touched.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createHost, type Host } from "./host.ts";
import { sweepStaleNamespaces } from "./sweep.ts";

const exec = promisify(execFile);

export interface Network extends AsyncDisposable {
  host(name: string, addresses: readonly string[], options?: { linkUp?: boolean }): Promise<Host>;
  cut(host: Host): Promise<void>;
  heal(host: Host): Promise<void>;
  /** A cable between two hosts beside the switch, with an address at each end. */
  line(ends: readonly [LineEnd, LineEnd]): Promise<void>;
  /** As when a machine loses power: its processes end, its kernel forgets everything. */
  remove(host: Host): Promise<void>;
}

export interface LineEnd {
  readonly host: Host;
  /** With its length, such as `10.0.0.1/30`. */
  readonly address: string;
}

export async function createNetwork(): Promise<Network> {
  await sweepStaleNamespaces();
  networks += 1;
  const prefix = `fb-${process.pid}-${networks}`;
  const switchName = `${prefix}-switch`;
  const hosts: Host[] = [];
  let lines = 0;
  const removed = new Set<Host>();
  const growing = new Set<Promise<unknown>>();
  let isClosed = false;
  await ip(["netns", "add", switchName]);
  await ip(["-n", switchName, "link", "add", "br0", "type", "bridge", "forward_delay", "0"]);
  await ip(["-n", switchName, "link", "set", "br0", "up"]);

  async function plug(host: Host, index: number, linkUp: boolean, addresses: readonly string[]): Promise<void> {
    await ip([
      "-n",
      switchName,
      "link",
      "add",
      `p${index}`,
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "netns",
      host.namespace,
    ]);
    // A machine that starts again at an address has the network card it had: others know it still.
    const card = cardOf(addresses);
    if (card !== undefined) await ip(["-n", host.namespace, "link", "set", "eth0", "address", card]);
    await ip(["-n", switchName, "link", "set", `p${index}`, "master", "br0"]);
    await ip(["-n", switchName, "link", "set", `p${index}`, linkUp ? "up" : "down"]);
    await ip(["-n", host.namespace, "link", "set", "lo", "up"]);
    await ip(["-n", host.namespace, "link", "set", "eth0", "up"]);
    for (const address of addresses) {
      const family = address.includes(":") ? ["-6"] : [];
      const nodad = address.includes(":") ? ["nodad"] : [];
      await ip(["-n", host.namespace, ...family, "address", "add", address, "dev", "eth0", ...nodad]);
      await ip(["-n", host.namespace, ...family, "route", "replace", "default", "dev", "eth0"]);
    }
  }
  const port = (host: Host) => `p${hosts.indexOf(host)}`;

  async function addHost(name: string, addresses: readonly string[], linkUp: boolean): Promise<Host> {
    const namespace = `${prefix}-${name}`;
    await ip(["netns", "add", namespace]);
    const host = createHost(name, namespace, addresses);
    hosts.push(host);
    await plug(host, hosts.length - 1, linkUp, addresses);
    return host;
  }

  return {
    async host(name, addresses, { linkUp = true } = {}) {
      if (isClosed) throw new Error("the network is being taken down");
      const adding = addHost(name, addresses, linkUp);
      growing.add(adding);
      return await adding.finally(() => growing.delete(adding));
    },
    cut: (host) => ip(["-n", switchName, "link", "set", port(host), "down"]),
    heal: (host) => ip(["-n", switchName, "link", "set", port(host), "up"]),
    async line([a, b]) {
      lines += 1;
      const name = `line${lines}`;
      const peer = ["peer", "name", name, "netns", b.host.namespace];
      await ip(["-n", a.host.namespace, "link", "add", name, "type", "veth", ...peer]);
      for (const { host, address } of [a, b]) {
        await ip(["-n", host.namespace, "address", "add", address, "dev", name]);
        await ip(["-n", host.namespace, "link", "set", name, "up"]);
      }
    },
    async remove(host) {
      await host.stopAll();
      removed.add(host);
      await ip(["netns", "del", host.namespace]);
    },
    async [Symbol.asyncDispose]() {
      if (isClosed) return;
      isClosed = true;
      await Promise.allSettled(growing); // its maker hears of it; what it made is taken down here
      const standing = hosts.filter((host) => !removed.has(host));
      await Promise.all(standing.map((host) => host.stopAll()));
      const namespaces = [...standing.map((host) => host.namespace), switchName];
      for (const namespace of namespaces) await ip(["netns", "del", namespace]);
    },
  };
}

let networks = 0;

/** Made of the IPv4 address. */
function cardOf(addresses: readonly string[]): string | undefined {
  const bytes = addresses
    .find((address) => address.includes("."))
    ?.replace(/\/.*/, "")
    .split(".");
  return bytes
    ?.map((byte) => Number(byte).toString(16).padStart(2, "0"))
    .reduce((mac, byte) => `${mac}:${byte}`, "02:fb");
}

async function ip(args: readonly string[]): Promise<void> {
  await exec("ip", args as string[]);
}
