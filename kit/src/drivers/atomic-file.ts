/**
 * Writes a file so that after a crash there is the old one or the new one, whole.
 *
 * A temporary file beside it, fsync, rename, fsync of the folder (else the rename itself may be lost).
 */
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

let serial = 0; // two writes of one process at once must not share a temporary file

export async function writeFileAtomic(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const folder = dirname(path);
  serial += 1;
  const temporary = join(folder, `.${basename(path)}.${process.pid}-${serial}.tmp`);
  try {
    await writeSynced(temporary, bytes, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

async function writeSynced(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  await rm(path, { force: true }); // left by a crashed process of the same number
  await using file = await open(path, "wx", mode);
  await file.chmod(mode); // whatever the umask took away
  await file.writeFile(bytes);
  await file.sync();
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, "r");
  await handle.sync();
}
