/**
 * A file that one living process holds: whoever finds it learns who that is. What a killed one left holds nobody up.
 *
 * It names its process by number, start and boot, so that a number given anew to another doesn't count. It appears whole
 * (made aside, then linked), and what is stale is moved away before it is removed: of two that find the same stale file,
 * neither can take away what the other has just made.
 */
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { startOf } from "./process-start.ts";

export type LockFile =
  | { readonly kind: "locked"; readonly release: () => Promise<void> }
  | { readonly kind: "held"; readonly pid: number };

const MODE = 0o644;
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

let serial = 0; // two attempts of one process at once must not share a file

/** Its folder must be there. Rejects when the folder can't be written to. */
export async function lockFile(path: string): Promise<LockFile> {
  const bootId = await readBootId();
  const mine = `${process.pid} ${await startOf(process.pid)} ${bootId}\n`;
  serial += 1;
  const aside = `${path}.${process.pid}-${serial}`;
  for (;;) {
    if (await isMade(path, aside, mine)) return { kind: "locked", release: () => rm(path, { force: true }) };
    const text = await textOf(path);
    const pid = await holderOf(text, bootId);
    if (pid !== undefined) return { kind: "held", pid };
    if (text !== undefined) await takeAway(path, aside, text);
  }
}

/** Who holds it; undefined = nobody. */
export async function holderOfLock(path: string): Promise<number | undefined> {
  return await holderOf(await textOf(path), await readBootId());
}

async function readBootId(): Promise<string> {
  return (await readFile(BOOT_ID, "utf8").catch(() => "")).trim();
}

async function isMade(path: string, aside: string, text: string): Promise<boolean> {
  await writeFile(aside, text, { mode: MODE });
  try {
    await link(aside, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

async function holderOf(text: string | undefined, bootId: string): Promise<number | undefined> {
  const [pid, start, boot] = (text ?? "").trim().split(" ");
  if (pid === undefined || start === undefined || boot !== bootId) return undefined;
  return (await startOf(Number(pid))) === start ? Number(pid) : undefined;
}

/** Only what was judged: when another has put its own there meanwhile, that goes back to its place. */
async function takeAway(path: string, aside: string, judged: string): Promise<void> {
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return; // another was quicker
    throw error;
  }
  if ((await textOf(aside)) !== judged) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

async function textOf(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined);
}
