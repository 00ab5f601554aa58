/** The ports from which this machine opens its own connections, both families (net.ipv4.ip_local_port_range). */
import { readFileSync } from "node:fs";

const FILE = "/proc/sys/net/ipv4/ip_local_port_range";

/** Undefined = can't be read. */
export function readLocalPorts(): { readonly first: number; readonly last: number } | undefined {
  try {
    const [first, last] = readFileSync(FILE, "utf8").trim().split(/\s+/).map(Number);
    return first === undefined || last === undefined || !(first <= last) ? undefined : { first, last };
  } catch {
    return undefined;
  }
}
