/**
 * Where others reach this coordinator, and which addresses are its own and so never listed (invariant 5).
 *
 * Without `advertise.hosts` it is this machine's own addresses, IPv4 first, because a token has to name something.
 */
import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import { type Prefix, tryParsePrefix } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";

const MAX_HOSTS = 3; // a token is copied by hand

export function advertisedHosts(configured: readonly string[]): readonly string[] {
  if (configured.length > 0) return configured;
  const own = ownAddresses();
  return own.length > 0 ? own.slice(0, MAX_HOSTS) : ["127.0.0.1"];
}

export function withPort(hosts: readonly string[], port: number): readonly string[] {
  return hosts.map((host) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`));
}

/** Public addresses of this machine, and those that the advertised names stand for now. */
export async function protectedOwnAddresses(hosts: readonly string[]): Promise<readonly Prefix[]> {
  const found = await Promise.all(hosts.map(addressesOf));
  const prefixes = [...ownAddresses(), ...found.flat()].map(tryParsePrefix);
  const isPublic = (prefix: Prefix | undefined): prefix is Prefix =>
    prefix !== undefined && specialPurposeOf(prefix) === undefined;
  return [...new Set(prefixes.filter(isPublic))];
}

/** A name that can't be resolved protects nothing yet; it is looked up again at the next start. */
async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}

function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const reachable = all.filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  return reachable.sort((a, b) => a.family.localeCompare(b.family)).map(({ address }) => address);
}
