/** One coordinator a data folder: two would each take the other's Postgres for one that was left behind. */
import { lockFile } from "@fleetban/kit/drivers/lock-file";
import { StoreError } from "../store-error.ts";

export interface FolderLock {
  release(): Promise<void>;
}

export async function lockFolder(path: string): Promise<FolderLock> {
  const lock = await lockFile(path);
  if (lock.kind === "locked") return lock;
  throw new StoreError("data-folder-in-use", `the data of ${path} is in use by process ${lock.pid}`, {
    hint: "stop that coordinator first, or give this one another data folder",
  });
}
