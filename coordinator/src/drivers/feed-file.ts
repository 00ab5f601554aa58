/** A feed that is a file on this machine: read whole, within a bound. */
import { open } from "node:fs/promises";
import { DownloadError } from "../feeds/download.ts";
import type { FeedFile } from "../feeds/fetch-parts.ts";

export async function readFeedFile(path: string, maxBytes: number): Promise<FeedFile> {
  try {
    await using file = await open(path, "r");
    const { size, mtimeMs } = await file.stat();
    if (size > maxBytes) throw new DownloadError("download-too-large", `${path}: longer than ${maxBytes} bytes`);
    return { bytes: await file.readFile(), changedAtMs: mtimeMs };
  } catch (error) {
    if (error instanceof DownloadError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new DownloadError("download-failed", `${path}: cannot be read (${code})`, error);
  }
}
