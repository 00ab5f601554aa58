/** Files below the agent's data directory, for the mirror and the boot files: private, and whole or not at all. */
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { AppendFile, Files } from "../mirror/files.ts";

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

export function dataFiles(directory: string): Files {
  const at = (path: string) => join(directory, path);
  return {
    names: (folder) => whenAbsent([], readdir(at(folder))),
    read: (path) => whenAbsent(undefined, readFile(at(path))),
    async writeWhole(path, pieces) {
      await makeFolderOf(at(path));
      const temporary = `${at(path)}.tmp`;
      try {
        await writeSynced(temporary, pieces);
        await rename(temporary, at(path));
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      await syncFolderOf(at(path));
    },
    async openAppend(path) {
      await makeFolderOf(at(path));
      return appendFile(await open(at(path), "a", FILE_MODE));
    },
    rename: (from, to) => rename(at(from), at(to)),
    remove: (path) => rm(at(path), { force: true }),
  };
}

function appendFile(handle: Awaited<ReturnType<typeof open>>): AppendFile {
  return {
    append: (bytes) => handle.appendFile(bytes),
    close: () => handle.close(),
  };
}

async function writeSynced(path: string, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  await using file = await open(path, "w", FILE_MODE);
  for await (const piece of pieces) await file.appendFile(piece);
  await file.sync();
}

async function makeFolderOf(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
}

async function syncFolderOf(path: string): Promise<void> {
  await using folder = await open(dirname(path), "r");
  await folder.sync();
}

async function whenAbsent<Value, Absent>(absent: Absent, reading: Promise<Value>): Promise<Value | Absent> {
  try {
    return await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return absent;
    throw error;
  }
}
