/** Tells when many things are in a host's kernel sets, by a process of its own that no limit slows down. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Host } from "../test/support/fleet/host.ts";

export interface KernelWatch {
  /** The monotonic nanoseconds at which the set held the address. */
  seen(set: string, address: string): Promise<bigint>;
  /** At which the sets together held so many entries. */
  filled(sets: readonly string[], entries: number): Promise<bigint>;
}

const PROGRAM = join(import.meta.dirname, "slow-watch.main.ts");

export async function watchKernel(host: Host): Promise<KernelWatch> {
  const child = host.spawn(process.execPath, [PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("the watching process has no pipes");
  const waiting = new Map<string, (atNs: bigint) => void>();
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  createInterface({ input: stdout }).on("line", (line) => {
    const [id = "", atNs = ""] = line.split(" ");
    if (id === "ready") return resolve();
    waiting.get(id)?.(BigInt(atNs));
    waiting.delete(id);
  });
  await ready;
  let orders = 0;
  function order(what: object): Promise<bigint> {
    orders += 1;
    const seen = Promise.withResolvers<bigint>();
    waiting.set(String(orders), seen.resolve);
    stdin?.write(`${JSON.stringify({ id: orders, ...what })}\n`);
    return seen.promise;
  }
  return {
    seen: (set, address) => order({ set, address }),
    filled: (sets, entries) => order({ sets, entries }),
  };
}
