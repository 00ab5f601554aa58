/** Reads a set from the kernel of a host's namespace, by the `ipset` program: nothing of ours stands between. */
import type { Host } from "./host.ts";

/** Addresses and networks as the kernel spells them; empty when there is no such set. */
export async function readKernelSet(host: Host, name: string): Promise<ReadonlySet<string>> {
  const text = await host.run("ipset", ["save", name]).catch(() => "");
  const members = text.split("\n").flatMap((line) => (line.startsWith("add ") ? [line.split(" ")[2] ?? ""] : []));
  return new Set(members);
}
