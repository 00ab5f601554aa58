/**
 * Which file a position speaks of: its inode and the checksum of its first bytes.
 *
 * The name does not say it (files are renamed when they are rotated), and the inode alone neither (the next file may
 * get the same one, and a file that was cut to nothing keeps it).
 */
import { crc32 } from "node:zlib";
import type { SourceFile } from "./files.ts";

const HEAD_BYTES = 64;
const NO_HEAD = "0";

/** Of a file that holds at least `offset` bytes. */
export function identify(file: SourceFile, offset: number): string {
  const bytes = Math.min(offset, HEAD_BYTES);
  return `${file.inode}:${bytes}:${headOf(file, bytes)}`;
}

export function isSameFile(file: SourceFile, identity: string): boolean {
  const [inode, bytes, head] = identity.split(":");
  return Number(inode) === file.inode && head === headOf(file, Number(bytes));
}

/** Its bytes are those of another file up to there: the copy that was made before that one was cut to nothing. */
export function isCopy(file: SourceFile, identity: string, offset: number): boolean {
  const [, bytes, head] = identity.split(":");
  return Number(bytes) === HEAD_BYTES && head === headOf(file, HEAD_BYTES) && file.stat().size >= offset;
}

function headOf(file: SourceFile, bytes: number): string {
  if (bytes === 0) return NO_HEAD;
  const head = file.read(0, bytes);
  return head.length < bytes ? "" : crc32(head).toString(16);
}
