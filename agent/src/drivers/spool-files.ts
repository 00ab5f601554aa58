/**
 * The spool's folder on disk, readable by its owner only.
 *
 * A segment is opened for synchronized writing (O_DSYNC): the data and what is needed to read it back are durable when
 * a write returns, which costs one trip to the thread pool, not one for the write and one for the sync.
 */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AppendFile, SpoolFiles } from "../spool/files.ts";

const SEGMENT_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_DSYNC;
const OWNER_ONLY = 0o600;

export function createSpoolFiles(folder: string): SpoolFiles {
  const pathOf = (name: string) => join(folder, name);
  return {
    async list() {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      return await readdir(folder);
    },
    async read(name, offset, length) {
      if (offset === undefined || length === undefined) return await readFile(pathOf(name));
      await using file = await open(pathOf(name), "r");
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    },
    async create(name) {
      const file = await open(pathOf(name), SEGMENT_FLAGS, OWNER_ONLY);
      try {
        await syncFolder(folder);
      } catch (error) {
        await file.close();
        await rm(pathOf(name), { force: true });
        throw error;
      }
      return appendFile(file);
    },
    async replace(name, bytes) {
      const draft = pathOf(`${name}.new`);
      const file = await open(draft, "w", OWNER_ONLY);
      try {
        await file.writeFile(bytes);
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(draft, pathOf(name));
      await syncFolder(folder);
    },
    remove: (name) => rm(pathOf(name), { force: true }),
  };
}

function appendFile(file: FileHandle): AppendFile {
  return {
    async append(offset, bytes) {
      for (let written = 0; written < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, written, bytes.length - written, offset + written);
        written += bytesWritten;
      }
    },
    truncate: (size) => file.truncate(size),
    close: () => file.close(),
  };
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, "r");
  await handle.sync();
}
