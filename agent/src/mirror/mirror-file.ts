/**
 * Keeps the mirror on disk: each list whole now and then (a generation), its deltas appended in between.
 *
 * Writing never holds up the kernel: it runs behind, in order, and a mirror behind its file is fine (it resumes at the
 * older revision). A write that fails (disk full) spoils only what it was writing: the list counts as unsaved and is
 * written whole, anew, until that succeeds; the generation before stays readable all the time.
 */

import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { createBackgroundTurns } from "@fleetban/kit/turns";
import type { List, ListNo } from "@fleetban/proto/model/listing";
import type { AppendFile, Files } from "./files.ts";
import { baseName, type Generation, generationsIn, logName } from "./generation.ts";
import { type LoadedList, loadMirror } from "./load-mirror.ts";
import type { Mirror, MirrorDelta } from "./mirror.ts";
import { basePieces } from "./mirror-base.ts";
import { deltaRecord, listRecord } from "./mirror-log.ts";

/** A log longer than this and than its base is folded into a new base. */
const LOG_MIN_BYTES = 262_144;
/** What may wait for a slow disk; beyond it the list is written whole instead. */
const WAITING_MAX_BYTES = 8_388_608;
const RETRY_MS = 5_000;

export interface MirrorFile {
  /** Whatever can be believed goes into the mirror. Once, before anything is recorded. */
  load(): Promise<void>;
  /** A delta that the mirror has applied. */
  recordDelta(delta: MirrorDelta): void;
  recordList(list: List): void;
  /** Writes the list whole as it is then: after a snapshot. */
  save(list: ListNo): void;
  remove(list: ListNo): void;
  /** Resolves when all that was asked for has been tried. */
  flush(): Promise<void>;
  /** Lists whose file is behind because writing failed, and why. */
  unsaved(): ReadonlyMap<ListNo, string>;
  close(): Promise<void>;
}

export interface MirrorFileParts {
  readonly files: Files;
  readonly folder: string;
  readonly mirror: Mirror;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is on disk of one list. `log` is absent while nothing may be appended. */
interface OnDisk {
  newest: number;
  log: AppendFile | undefined;
  logBytes: number;
  baseBytes: number;
  /** What is said of the list, as it was written last. */
  definition: string;
  waitingBytes: number;
  isSaveDue: boolean;
}

export function createMirrorFile({ files, folder, mirror, clock, log }: MirrorFileParts): MirrorFile {
  const diskByList = new Map<ListNo, OnDisk>();
  const unsaved = new Map<ListNo, string>();
  let last: Promise<void> = Promise.resolve();
  let isClosed = false;

  const pathOf = (name: string) => `${folder}/${name}`;

  /** One after the other; a failure makes that list unsaved and nothing else. */
  function enqueue(list: ListNo, write: () => Promise<void>): void {
    last = last.then(write).catch((error: unknown) => failed(list, error));
  }

  function failed(list: ListNo, error: unknown): void {
    if (!unsaved.has(list)) log.error("mirror.unsaved", { list, error });
    unsaved.set(list, error instanceof Error ? error.message : String(error));
    const disk = diskByList.get(list);
    if (disk !== undefined) disk.log = undefined; // its end may be torn
    if (!isClosed) clock.timer(RETRY_MS, () => unsaved.has(list) && save(list));
  }

  function diskOf(list: ListNo): OnDisk {
    const present = diskByList.get(list);
    if (present !== undefined) return present;
    const disk = {
      newest: 0,
      log: undefined,
      logBytes: 0,
      baseBytes: 0,
      definition: "",
      waitingBytes: 0,
      isSaveDue: false,
    };
    diskByList.set(list, disk);
    return disk;
  }

  function append(list: ListNo, record: Uint8Array): void {
    const disk = diskOf(list);
    if (disk.isSaveDue) return; // it will be in the base
    if (disk.waitingBytes + record.length > WAITING_MAX_BYTES) {
      save(list);
      return;
    }
    disk.waitingBytes += record.length;
    enqueue(list, async () => {
      disk.waitingBytes -= record.length;
      if (disk.log === undefined) {
        if (!unsaved.has(list)) save(list); // else it is tried again in its own time
        return;
      }
      await disk.log.append(record);
      disk.logBytes += record.length;
      if (disk.logBytes > Math.max(LOG_MIN_BYTES, disk.baseBytes)) save(list);
    });
  }

  function save(list: ListNo): void {
    const disk = diskOf(list);
    if (disk.isSaveDue || isClosed) return;
    disk.isSaveDue = true;
    enqueue(list, async () => {
      disk.isSaveDue = false; // what is recorded from here on is behind the base
      const { list: definition, held } = mirror.get(list) ?? {};
      if (definition === undefined || held === undefined) return;
      const pieces = basePieces({ list: definition, held });
      disk.definition = JSON.stringify(definition);
      await disk.log?.close();
      disk.log = undefined;
      await writeGeneration({ list, number: disk.newest + 1 }, disk, pieces);
      if (unsaved.delete(list)) log.info("mirror.saved_again", { list });
    });
  }

  async function writeGeneration(generation: Generation, disk: OnDisk, pieces: Iterable<Uint8Array>): Promise<void> {
    let bytes = 0;
    const turns = createBackgroundTurns(clock);
    async function* counted() {
      for (const piece of pieces) {
        bytes += piece.length;
        yield piece;
        if (turns.isOver()) await turns.next();
      }
    }
    await files.remove(pathOf(logName(generation))); // of an attempt that failed
    await files.writeWhole(pathOf(baseName(generation)), counted());
    disk.newest = generation.number;
    disk.log = await files.openAppend(pathOf(logName(generation)));
    disk.logBytes = 0;
    disk.baseBytes = bytes;
    await dropBefore(generation.list, generation.number - 1);
  }

  async function dropBefore(list: ListNo, oldest: number): Promise<void> {
    for (const generation of generationsIn(await files.names(folder))) {
      if (generation.list !== list || generation.number >= oldest) continue;
      await files.remove(pathOf(baseName(generation)));
      await files.remove(pathOf(logName(generation)));
    }
  }

  async function take({ list, saved, newest, isAppendable }: LoadedList): Promise<void> {
    const disk = diskOf(list);
    disk.newest = newest;
    if (saved === undefined) return;
    disk.definition = JSON.stringify(saved.list);
    mirror.setLists([saved.list]);
    mirror.replace(list, saved.held);
    if (isAppendable) disk.log = await files.openAppend(pathOf(logName({ list, number: newest })));
    else save(list);
  }

  return {
    async load() {
      for (const loaded of await loadMirror(files, folder, log)) await take(loaded);
    },
    recordDelta: (delta) => append(delta.list, deltaRecord(delta)),
    recordList(list) {
      const disk = diskOf(list.list);
      const definition = JSON.stringify(list);
      if (disk.definition === definition || mirror.get(list.list)?.held === undefined) return;
      disk.definition = definition;
      append(list.list, listRecord(list));
    },
    save,
    remove(list) {
      enqueue(list, async () => {
        await diskByList.get(list)?.log?.close();
        diskByList.delete(list);
        unsaved.delete(list);
        await dropBefore(list, Number.POSITIVE_INFINITY);
      });
    },
    async flush() {
      for (let seen: unknown; seen !== last; ) {
        seen = last;
        await last;
      }
    },
    unsaved: () => unsaved,
    async close() {
      isClosed = true;
      await this.flush();
      for (const disk of diskByList.values()) await disk.log?.close();
    },
  };
}
