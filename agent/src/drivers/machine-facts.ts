/** Reads what own-addresses/own-prefixes.ts needs from this machine. */
import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import type { MachineFacts } from "../own-addresses/own-prefixes.ts";

export async function readMachineFacts(coordinators: readonly string[]): Promise<MachineFacts> {
  const interfaces = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address, cidr }) => ({ address, length: Number(cidr?.split("/")[1] ?? 0) }));
  return {
    interfaces,
    routes4: await textOf("/proc/net/route"),
    routes6: await textOf("/proc/net/ipv6_route"),
    resolvers: await textOf("/etc/resolv.conf"),
    coordinators: (await Promise.all(coordinators.map(resolve))).flat(),
  };
}

/** Absent = nothing known from there (no IPv6, no resolver). */
async function textOf(path: string): Promise<string> {
  return await readFile(path, "utf8").catch(() => "");
}

async function resolve(hostPort: string): Promise<readonly string[]> {
  const host = hostPort.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  const found = await lookup(host, { all: true }).catch(() => []); // asked again later; the dial says it too
  return found.map(({ address }) => address);
}
