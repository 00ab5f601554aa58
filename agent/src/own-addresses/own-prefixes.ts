/**
 * Which addresses this machine itself lives on: its own, its gateways and resolvers, the coordinators' and the IPv6
 * networks on its links. They go into the `own` set, which no deny rule reaches past (invariant 5).
 *
 * Pure: reads the texts of /proc/net/route, /proc/net/ipv6_route and resolv.conf that the driver brings.
 */
import { type Prefix, parsePrefix, prefixOf, widen } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";

export interface MachineFacts {
  /** As `os.networkInterfaces()` has them: address and prefix length. */
  readonly interfaces: readonly { readonly address: string; readonly length: number }[];
  /** /proc/net/route */
  readonly routes4: string;
  /** /proc/net/ipv6_route */
  readonly routes6: string;
  /** /etc/resolv.conf */
  readonly resolvers: string;
  /** Addresses that the coordinators' names resolve to now. */
  readonly coordinators: readonly string[];
}

/** At most so many addresses of its own may a machine claim (PROTOCOL: Hello.addresses). */
export const CLAIMS_MAX = 16;

/** Sorted, without doubles. What can't be read as an address is left out: these files are the kernel's and root's. */
export function ownPrefixes(facts: MachineFacts): readonly Prefix[] {
  const addresses = facts.interfaces.map(({ address }) => address);
  const found = [
    ...[...addresses, ...resolversOf(facts.resolvers), ...facts.coordinators].map(readAddress),
    ...gateways4(facts.routes4),
    ...gateways6(facts.routes6),
    ...facts.interfaces.filter(({ address }) => address.includes(":")).map(onLink6),
  ];
  return [...new Set(found.filter((prefix) => prefix !== undefined))].sort();
}

/** What the agent tells the coordinator of itself: single addresses that others could list, at most `max`. */
export function claimedAddresses(facts: MachineFacts, max: number): readonly Prefix[] {
  const own = facts.interfaces.map(({ address }) => readAddress(address)).filter((address) => address !== undefined);
  const publicOnes = own.filter((address) => specialPurposeOf(address) === undefined);
  return [...new Set(publicOnes)].sort().slice(0, max);
}

function readAddress(text: string): Prefix | undefined {
  try {
    return parsePrefix(text.replace(/%.*$/, "")); // fe80::1%eth0: the zone is not part of what a packet carries
  } catch {
    return undefined; // not an address: a resolver line may say anything
  }
}

function resolversOf(text: string): readonly string[] {
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address]) => address as string);
}

/** Columns: Iface Destination Gateway Flags …, numbers in hexadecimal of the machine's (little-endian) byte order. */
function gateways4(text: string): readonly (Prefix | undefined)[] {
  const rows = text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  return rows
    .filter(([, , gateway]) => gateway !== undefined && /^[0-9A-F]{8}$/i.test(gateway) && gateway !== "00000000")
    .map(([, , gateway = ""]) =>
      readAddress(
        (gateway.match(/../g) ?? [])
          .reverse()
          .map((byte) => Number.parseInt(byte, 16))
          .join("."),
      ),
    );
}

/** Columns: destination, length, source, length, next hop …, each address as 32 hexadecimal digits. */
function gateways6(text: string): readonly (Prefix | undefined)[] {
  const hops = text.split("\n").map((line) => line.trim().split(/\s+/)[4] ?? "");
  return hops
    .filter((hop) => /^[0-9a-f]{32}$/i.test(hop) && !/^0+$/.test(hop))
    .map((hop) => {
      const [a = 0, b = 0, c = 0, d = 0] = (hop.match(/.{8}/g) ?? []).map((word) => Number.parseInt(word, 16));
      return prefixOf({ family: 6, length: 128, a, b, c, d });
    });
}

/** The network on the link: without it neighbor discovery would end with a listing of the machine's own /64. */
function onLink6({ address, length }: { address: string; length: number }): Prefix | undefined {
  const own = readAddress(address);
  return own === undefined || length < 1 || length >= 128 ? undefined : widen(own, length);
}
