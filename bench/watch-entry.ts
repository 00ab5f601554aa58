/** Tells when an address is in a kernel set of a host, by a process of its own in that host's namespace. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Host } from "../test/support/fleet/host.ts";

export interface EntryWatch {
  /** Resolves when it is being looked for; the promise in it, with the monotonic nanoseconds when it is there. */
  begin(address: string): Promise<{ readonly seenNs: Promise<bigint> }>;
}

const PROGRAM = join(import.meta.dirname, "watch-entry.main.ts");

export async function watchEntries(host: Host, setName: string): Promise<EntryWatch> {
  const child = host.spawn(process.execPath, [PROGRAM, setName], { stdio: ["pipe", "pipe", "inherit"] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("the watching process has no pipes");
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();

  async function nextLine(): Promise<string> {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`the process that watches ${setName} ended`);
    return value;
  }

  async function expect(word: string): Promise<void> {
    const line = await nextLine();
    if (line !== word) throw new Error(`the process that watches ${setName} said ${line}, not ${word}`);
  }

  await expect("ready");
  return {
    async begin(address) {
      stdin.write(`${address}\n`);
      await expect("watching");
      return { seenNs: nextLine().then(BigInt) };
    },
  };
}
