/**
 * Where to go on reading after a restart: the file that the position speaks of, whatever it is called by now, and
 * after it every file that has taken its place since.
 */
import type { Log } from "@fleetban/kit/log";
import type { SourcePosition } from "../../spool/source-position.ts";
import { isCopy, isSameFile } from "./file-identity.ts";
import type { SourceFiles } from "./files.ts";
import type { StartFraming } from "./framing.ts";
import { startTail, type Tail } from "./tail.ts";

export interface Resumption<Record> {
  readonly path: string;
  readonly rotated: () => readonly string[];
  readonly framing: StartFraming<Record>;
  /** With no position at all: `start` reads all there is, `end` nothing. */
  readonly begin: "start" | "end";
  /** Newest last. */
  readonly positions: readonly SourcePosition[];
}

/** The tails to read, oldest first; the last is the present file, if there is one. */
export function resumeTails<Record>(
  files: SourceFiles,
  log: Log,
  { path, rotated, begin, positions, framing }: Resumption<Record>,
): readonly Tail<Record>[] {
  const opened = [...rotated(), path].flatMap((name) => {
    const file = files.open(name);
    return file === undefined ? [] : [{ name, file }];
  });
  const same = opened.map(({ file }) => positions.findLast((position) => isSameFile(file, position.file)));
  const newest = positions.at(-1);
  const isFound = newest === undefined || same.includes(newest);
  const copy = isFound ? -1 : opened.findIndex(({ file }) => isCopy(file, newest.file, Number(newest.value)));
  const known = same.map((position, at) => (at === copy ? newest : position));
  const first = known.findIndex((position) => position !== undefined);
  if (first < 0 && positions.length > 0) log.warn("sources.position_lost", { path, positions });
  const isFresh = positions.length === 0 && begin === "end";
  const from = first >= 0 ? first : begin === "end" ? opened.findIndex(({ name }) => name === path) : 0;
  return opened.flatMap(({ name, file }, at) => {
    if (from < 0 || at < from) {
      file.close();
      return [];
    }
    const offset = isFresh ? file.stat().size : Math.min(Number(known[at]?.value ?? 0), file.stat().size);
    return [startTail(file, name, offset, framing)];
  });
}
