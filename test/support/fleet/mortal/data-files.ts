/** The agent's data directory, where the process may die within an append to the mirror's log and before a whole file. */
import { dataFiles as createReal } from "@fleetban/agent/drivers/data-files";
import type { Files } from "@fleetban/agent/mirror/files";
import { isPoint, mayDie } from "./point.ts";

export function dataFiles(directory: string): Files {
  const real = createReal(directory);
  return {
    ...real,
    async openAppend(path) {
      const file = await real.openAppend(path);
      return {
        ...file,
        async append(bytes) {
          const isTorn = isPoint("mirror-torn") && path.startsWith("mirror/");
          await file.append(isTorn ? bytes.subarray(0, bytes.length / 2) : bytes);
          if (isTorn) mayDie("mirror-torn");
        },
      };
    },
    async writeWhole(path, pieces) {
      mayDie("base-unwritten");
      await real.writeWhole(path, pieces);
    },
  };
}
