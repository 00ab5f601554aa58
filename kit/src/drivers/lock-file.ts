/**
 * A file that one living process holds: whoever finds it locked learns who that is. What a killed one left holds nobody up.
 *
 * The lock is the kernel's, flock(2): it goes with the process however that dies, and no two can have it, which names in
 * a folder can't promise (of two that find a stale file, one takes away what the other has just made). Node has no call
 * for it, so `flock` of util-linux locks the open file that it inherits, and the lock lasts for as long as that is open
 * here. The text in the file is for people and for `holderOfLock`: process number, start and boot.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { FleetbanError } from "../errors.ts";
import { startOf } from "./process-start.ts";

export type LockFile =
  | { readonly kind: "locked"; readonly release: () => Promise<void> }
  /** 0 = it can't be seen from here (another container), or has only just begun. */
  | { readonly kind: "held"; readonly pid: number };

const MODE = 0o644;
const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const FLOCK_HELD = 1; // flock(1): with --nonblock, somebody else has it

/** Its folder must be there. Rejects when the file can't be written to, or without `flock`. */
export async function lockFile(path: string): Promise<LockFile> {
  const text = `${process.pid} ${await startOf(process.pid)} ${await readBootId()}\n`;
  const file = openSync(path, "a+", MODE); // a number: a FileHandle that nobody keeps is closed, and the lock with it
  let isMine = false;
  try {
    isMine = await isLocked(file, path);
    if (!isMine) return { kind: "held", pid: (await holderOfLock(path)) ?? 0 };
    ftruncateSync(file);
    writeSync(file, text);
  } finally {
    if (!isMine) closeSync(file);
  }
  const release = async () => {
    if (isMine) giveUp(file);
    isMine = false; // a second call would close whatever has that number then
  };
  return { kind: "locked", release };
}

/** Who holds it, by what it wrote there; undefined = nobody that lives and can be seen from here. */
export async function holderOfLock(path: string): Promise<number | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  const [pid, start, boot] = text.trim().split(" ");
  if (pid === undefined || start === undefined || boot !== (await readBootId())) return undefined;
  return (await startOf(Number(pid))) === start ? Number(pid) : undefined;
}

/** The file stays: another may have opened it already, and would lock a file that nobody can find. */
function giveUp(file: number): void {
  try {
    ftruncateSync(file);
  } finally {
    closeSync(file);
  }
}

async function isLocked(file: number, path: string): Promise<boolean> {
  const locker = spawn("flock", ["--exclusive", "--nonblock", "3"], { stdio: ["ignore", "ignore", "ignore", file] });
  try {
    const [code] = (await once(locker, "exit")) as [number | null];
    if (code === 0 || code === FLOCK_HELD) return code === 0;
    throw new FleetbanError("lock-failed", `${path}: cannot be locked (flock ended with ${code})`);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    const hint = "install the package util-linux";
    throw new FleetbanError("lock-failed", `${path}: cannot be locked, the program flock is missing`, { hint, cause });
  }
}

async function readBootId(): Promise<string> {
  return (await readFile(BOOT_ID, "utf8").catch(() => "")).trim();
}
