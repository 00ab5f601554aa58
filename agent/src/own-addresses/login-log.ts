/**
 * The lines of sshd's log that are new since the last look, and at first those of the last while. Rotation begins anew.
 *
 * A log that grows by more than a look reads is followed on at the next one; what a flood has pushed out of reach is left out.
 */
import type { SourceFile, SourceFiles } from "../sources/follow/files.ts";

export interface LoginLog {
  /** Whole lines; empty = nothing new, or no log. */
  read(): string;
  /** The file that is read, or would be. */
  readonly path: string;
}

const FIRST_BYTES = 4_194_304;
const LOOK_BYTES = 1_048_576;
const NEWLINE = 10;

/** The first of `paths` that exists. */
export function followLoginLog(
  files: Pick<SourceFiles, "open" | "inodeOf">,
  paths: readonly [string, ...string[]],
): LoginLog {
  let place: { readonly inode: number; readonly offset: number } | undefined;
  const current = () => paths.find((path) => files.inodeOf(path) !== undefined) ?? paths[0];

  function readFrom(file: SourceFile): string {
    const { size } = file.stat();
    const isSame = place?.inode === file.inode && place.offset <= size;
    const isFirst = place === undefined;
    const from = isSame ? (place?.offset ?? 0) : Math.max(0, size - (isFirst ? FIRST_BYTES : LOOK_BYTES));
    const begin = Math.max(from, size - FIRST_BYTES);
    const bytes = readUpTo(file, begin, isFirst ? FIRST_BYTES : LOOK_BYTES);
    const whole = bytes.subarray(0, bytes.lastIndexOf(NEWLINE) + 1);
    place = { inode: file.inode, offset: begin + whole.length };
    return whole.toString("latin1");
  }

  return {
    get path() {
      return current();
    },
    read() {
      const file = files.open(current());
      if (file === undefined) return "";
      try {
        return readFrom(file);
      } finally {
        file.close();
      }
    },
  };
}

function readUpTo(file: SourceFile, offset: number, maxBytes: number): Buffer {
  const pieces: Buffer[] = [];
  for (let read = 0; read < maxBytes; ) {
    const piece = file.read(offset + read, Math.min(65_536, maxBytes - read));
    if (piece.length === 0) break;
    pieces.push(Buffer.from(piece));
    read += piece.length;
  }
  return Buffer.concat(pieces);
}
