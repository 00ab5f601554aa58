/**
 * Gives a test file a network of its own: the test's process steps out of the machine's network namespace.
 *
 * A namespace belongs to a thread, and Node opens sockets and starts programs on its main thread: from here on both see
 * the new one only. A fresh one has no name and ends with the process, so that nothing is left to clean up. Call it at
 * the top of the file, before anything opens a socket:
 *
 *     const skip = enterFreshNetns();
 *     test("…", { skip }, async () => { … });
 */
import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";

const CLONE_NEWNET = 0x40000000;

/** false, or why the tests of this file can't run. */
export function enterFreshNetns(): false | string {
  if (process.geteuid?.() !== 0) return "needs root";
  check("unshare", libc().unshare(CLONE_NEWNET));
  execFileSync("ip", ["link", "set", "lo", "up"]);
  return false;
}

/** Into one that has a name (`ip netns add`). Gives the way back to where the process was. */
export function enterNetns(name: string): () => void {
  const before = openSync("/proc/self/ns/net", "r");
  enter(openSync(`/run/netns/${name}`, "r"));
  return () => enter(before);
}

function enter(namespace: number): void {
  try {
    check("setns", libc().setns(namespace, CLONE_NEWNET));
  } finally {
    closeSync(namespace);
  }
}

interface NamespaceCalls {
  unshare(flags: number): number;
  setns(namespace: number, kind: number): number;
  errno(): number;
}

let calls: NamespaceCalls | undefined;

function libc(): NamespaceCalls {
  calls ??= loadCalls();
  return calls;
}

function loadCalls(): NamespaceCalls {
  const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi");
  const library = koffi.load(null);
  return {
    unshare: library.func("int unshare(int)"),
    setns: library.func("int setns(int, int)"),
    errno: () => koffi.errno(),
  };
}

function check(call: string, result: number): void {
  if (result !== 0) throw new Error(`${call} failed with error ${libc().errno()}`);
}
