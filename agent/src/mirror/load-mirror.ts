/**
 * Reads the saved lists at start: of each the newest generation that is whole, with its deltas; damaged, the one before.
 *
 * A list of which nothing can be believed is no mirror, never an empty one (invariant 4): it is left out here, and
 * then nothing of it changes in the kernel until its snapshot is there.
 */
import type { Log } from "@fleetban/kit/log";
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Files } from "./files.ts";
import { baseName, type Generation, generationsIn, logName } from "./generation.ts";
import { readBase, type SavedList } from "./mirror-base.ts";
import { replay } from "./mirror-log.ts";

export interface LoadedList {
  readonly list: ListNo;
  /** Undefined = nothing that can be believed. */
  readonly saved: SavedList | undefined;
  /** The newest number in use, believed or not. */
  readonly newest: number;
  /** The newest generation was read to its end: deltas may be appended to its log. */
  readonly isAppendable: boolean;
}

export async function loadMirror(files: Files, folder: string, log: Log): Promise<readonly LoadedList[]> {
  const loaded: LoadedList[] = [];
  const generations = generationsIn(await files.names(folder));
  for (const list of new Set(generations.map((generation) => generation.list))) {
    const ofList = generations.filter((generation) => generation.list === list);
    loaded.push(await loadList(files, folder, ofList, log));
  }
  return loaded;
}

async function loadList(
  files: Files,
  folder: string,
  newestFirst: readonly Generation[],
  log: Log,
): Promise<LoadedList> {
  const [first] = newestFirst;
  if (first === undefined) throw new Error("internal error: a list without a file");
  const { list, number: newest } = first;
  for (const generation of newestFirst) {
    const replayed = await loadGeneration(files, folder, generation);
    const { number } = generation;
    if (replayed === undefined) {
      log.warn("mirror.file_damaged", { list, generation: number, file: baseName(generation) });
      continue;
    }
    const { saved, isWhole } = replayed;
    const { revision, blocklist } = saved.held;
    log.info("mirror.loaded", { list, generation: number, revision, listings: blocklist.size, isWhole });
    // The log of a predecessor goes on into its successor: what of that one is readable is taken, too.
    return { list, saved, newest, isAppendable: isWhole && number === newest };
  }
  log.error("mirror.lost", { list, files: newestFirst.map(baseName), remedy: "a snapshot is asked for" });
  return { list, saved: undefined, newest, isAppendable: false };
}

async function loadGeneration(files: Files, folder: string, generation: Generation) {
  const bytes = await files.read(`${folder}/${baseName(generation)}`);
  const base = bytes === undefined ? undefined : readBase(bytes);
  if (base === undefined || base.list.list !== generation.list) return undefined;
  return replay(base, (await files.read(`${folder}/${logName(generation)}`)) ?? new Uint8Array(0));
}
