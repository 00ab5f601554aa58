/** Watches files and folders that may not be there yet: what can't be watched is left to the looks that come anyway. */
import { type FSWatcher, watch } from "node:fs";

/** A path that ends with `/` is a folder of which everything counts. */
export function watchPaths(paths: readonly string[], onChange: () => void): { close(): void } {
  const watchers = paths.flatMap((path) => tryWatch(path, onChange) ?? []);
  return {
    close() {
      for (const watcher of watchers) watcher.close();
    },
  };
}

function tryWatch(path: string, onChange: () => void): FSWatcher | undefined {
  const at = path.lastIndexOf("/") + 1;
  const name = path.slice(at);
  try {
    const watcher = watch(path.slice(0, at), (_, changed) => {
      if (name === "" || changed === null || changed === name) onChange();
    });
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined; // no such folder on this machine
  }
}
