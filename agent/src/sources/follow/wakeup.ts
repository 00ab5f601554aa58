/** Wakes a follower when its file changes, and in any case after a while: a notification may be missed. */
import { createBell } from "@fleetban/kit/bell";
import type { Clock } from "@fleetban/kit/clock";
import type { FileWatch, SourceFiles } from "./files.ts";

export interface Wakeup {
  /** Watches from now on: a change after this call ends the next wait for `heard`, which it returns. */
  begin(): number;
  /** Until a change, at most so long as looks may be apart. Rejects with `signal.reason`. */
  wait(heard: number, signal: AbortSignal): Promise<void>;
  /** As if the file had changed. */
  ring(): void;
  close(): void;
}

export function createWakeup(files: SourceFiles, clock: Clock, path: string, atLatestMs: number): Wakeup {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const changed = createBell(clock);
  let watch: FileWatch | undefined;

  /** The folder may be missing yet, or be another one since. */
  function keepWatching(): void {
    const inode = files.inodeOf(folder);
    if (watch?.folderInode === inode) return;
    watch?.close();
    try {
      watch = inode === undefined ? undefined : files.watch(path, changed.ring);
    } catch {
      watch = undefined; // gone again; the look at the latest comes anyway
    }
  }

  return {
    begin() {
      keepWatching();
      return changed.rings;
    },
    wait: (heard, signal) => changed.wait(heard, atLatestMs, signal),
    ring: changed.ring,
    close: () => watch?.close(),
  };
}
