/** One coordinator a data folder: two would each take the other's Postgres for one that was left behind. */
import { open, readFile, rm } from "node:fs/promises";
import { StoreError } from "../store-error.ts";
import { startOf } from "./process-facts.ts";

export interface FolderLock {
  release(): Promise<void>;
}

/** The file names a process by its number and its start, so that a number given anew to another doesn't count. */
export async function lockFolder(path: string): Promise<FolderLock> {
  const mine = `${process.pid} ${await startOf(process.pid)}\n`;
  for (;;) {
    if (await created(path, mine)) return { release: () => rm(path, { force: true }) };
    const [pid, start] = (await readFile(path, "utf8").catch(() => "")).trim().split(" ");
    const isAlive = pid !== undefined && start !== undefined && (await startOf(Number(pid))) === start;
    if (isAlive) {
      throw new StoreError("data-folder-in-use", `the data of ${path} is in use by process ${pid}`, {
        hint: "stop that coordinator first, or give this one another data folder",
      });
    }
    await rm(path, { force: true });
  }
}

async function created(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, "wx", 0o644);
    await file.writeFile(text).finally(() => file.close());
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}
