/** A feed that is a file on this machine: read whole, within a bound. What is no file (a pipe, a device) is not waited for. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { fileProblem } from "@fleetban/kit/file-problem";
import { DownloadError } from "../feeds/download.ts";
import type { FeedFile } from "../feeds/fetch-parts.ts";

const PIECE_BYTES = 65_536;

export async function readFeedFile(path: string, maxBytes: number): Promise<FeedFile> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile()) throw new DownloadError("download-failed", `${path}: is no file`);
    const bytes = stat.size > maxBytes ? undefined : await readAtMost(file, stat.size, maxBytes);
    if (bytes === undefined) throw new DownloadError("download-too-large", `${path}: longer than ${maxBytes} bytes`);
    return { bytes, changedAtMs: stat.mtimeMs };
  } catch (error) {
    if (error instanceof DownloadError) throw error;
    throw new DownloadError("download-failed", `${path}: cannot be read: ${fileProblem(error)}`, error);
  }
}

/** Undefined = there is more; it may grow while it is read, or tell no size, as files of /proc. */
async function readAtMost(file: FileHandle, size: number, maxBytes: number): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  for (let bytes = 0; bytes <= maxBytes; ) {
    const piece = Buffer.allocUnsafe(Math.min(Math.max(size - bytes, 0) + PIECE_BYTES, maxBytes - bytes + 1));
    const { bytesRead } = await file.read(piece);
    if (bytesRead === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, bytesRead));
    bytes += bytesRead;
  }
  return undefined;
}
