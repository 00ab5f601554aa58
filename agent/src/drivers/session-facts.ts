/** Reads who is logged in, as protected-sessions.ts wants it, and tells when that may have changed. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SessionFacts } from "../own-addresses/protected-sessions.ts";

export const SESSIONS_FOLDER = "/run/systemd/sessions";
const SESSIONS_READ_MAX = 1_024;

export function createSessionFacts(folder = SESSIONS_FOLDER): SessionFacts {
  return {
    async sessions() {
      const names = (await readdir(folder).catch(() => [])).filter((name) => !name.includes(".")); // the others are pipes
      return await Promise.all(names.slice(0, SESSIONS_READ_MAX).map((name) => textOf(join(folder, name))));
    },
    connections: async () => `${await textOf("/proc/net/tcp")}\n${await textOf("/proc/net/tcp6")}`,
  };
}

/** Absent = it has just ended, or this kernel has none. */
async function textOf(path: string): Promise<string> {
  return await readFile(path, "utf8").catch(() => "");
}
