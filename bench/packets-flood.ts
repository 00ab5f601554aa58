/** What one core sends through a pair of virtual cards to each of many hosts, and how much of it arrives. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import type { Host } from "../test/support/fleet/host.ts";

export interface Flood {
  /** Datagrams a second that reached UDP on the host. */
  rate(target: FloodTarget, forMs: number): Promise<number>;
}

export interface FloodTarget {
  readonly host: Host;
  readonly address: string;
}

/** Unlisted sources: the upper half of their addresses. */
export const SOURCE_NETWORK = "45.128";

const PROGRAM = join(import.meta.dirname, "../test/support/flood.main.ts");
const LEFT_TO_OTHERS = 0.15;
const PORT = 9_999;

export async function openFlood(sender: Host, targets: readonly FloodTarget[]): Promise<Flood> {
  await sender.run("ip", ["route", "add", "local", `${SOURCE_NETWORK}.0.0/16`, "dev", "lo"]);
  const namespaces = targets.map(({ host }) => host.namespace);
  // Before all ordinary programs: how many others want the core is not what is asked.
  const args = ["-f", "1", process.execPath, PROGRAM, String(PORT), SOURCE_NETWORK, ...namespaces];
  const child = sender.spawn("chrt", args, { stdio: ["pipe", "pipe", "inherit"] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("the flood has no pipes");
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  async function next(): Promise<string> {
    const { value, done } = await lines.next();
    if (done === true) throw new Error("the flood ended");
    return value;
  }
  await next();
  return {
    async rate({ host, address }, forMs) {
      await pause(forMs * LEFT_TO_OTHERS); // a program that goes before all others is stopped when it leaves them nothing
      stdin.write(`${host.namespace} ${address} ${forMs}\n`);
      return Number(await next());
    },
  };
}
