/** Files that sources read, where the process may die when a ban was read. */
import { sourceFiles as real } from "@fleetban/agent/drivers/source-files";
import type { SourceFile, SourceFiles } from "@fleetban/agent/sources/follow/files";
import { mayDie } from "./point.ts";

export const sourceFiles: SourceFiles = {
  ...real,
  open(path) {
    const file = real.open(path);
    return file && mortal(file);
  },
};

function mortal(file: SourceFile): SourceFile {
  return {
    ...file,
    read(offset, maxBytes) {
      const bytes = file.read(offset, maxBytes);
      if (bytes.includes("FLEETBAN1\0ban\0")) mayDie("hand-off-read");
      return bytes;
    },
  };
}
