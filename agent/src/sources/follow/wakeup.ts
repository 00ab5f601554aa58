/** Wakes a follower when its file changes, and in any case after a while: a notification may be missed. */
import type { Clock } from "@fleetban/kit/clock";
import type { FileWatch, SourceFiles } from "./files.ts";

export interface Wakeup {
  /** Resolves at the next change after this call, at the latest after the while. */
  next(signal: AbortSignal): Promise<void>;
  close(): void;
}

export function createWakeup(files: SourceFiles, clock: Clock, path: string, atLatestMs: number): Wakeup {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  let watch: FileWatch | undefined;
  let changed = Promise.withResolvers<void>();
  const onChange = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };

  /** The folder may be missing yet, or be another one since. */
  function keepWatching(): void {
    const inode = files.inodeOf(folder);
    if (watch?.folderInode === inode) return;
    watch?.close();
    try {
      watch = inode === undefined ? undefined : files.watch(path, onChange);
    } catch {
      watch = undefined; // gone again; the look at the latest comes anyway
    }
  }

  return {
    async next(signal) {
      keepWatching();
      const enough = new AbortController();
      const wait = clock.sleep(atLatestMs, AbortSignal.any([signal, enough.signal]));
      wait.catch(() => undefined); // the change came first
      try {
        await Promise.race([changed.promise, wait]);
      } finally {
        enough.abort();
      }
    },
    close: () => watch?.close(),
  };
}
