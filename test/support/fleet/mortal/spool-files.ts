/** The spool's folder, where the process may die before, within and after a write. */
import { createSpoolFiles as createReal } from "@fleetban/agent/drivers/spool-files";
import type { AppendFile, SpoolFiles } from "@fleetban/agent/spool/files";
import { isPoint, mayDie } from "./point.ts";

export function createSpoolFiles(folder: string): SpoolFiles {
  const real = createReal(folder);
  return { ...real, create: async (name) => mortal(await real.create(name)) };
}

function mortal(file: AppendFile): AppendFile {
  return {
    ...file,
    async append(offset, bytes) {
      mayDie("spool-unwritten");
      if (isPoint("spool-torn")) await file.append(offset, bytes.subarray(0, bytes.length / 2));
      mayDie("spool-torn");
      await file.append(offset, bytes);
      mayDie("spool-synced");
    },
  };
}
