/** What /proc says of a process of Postgres. */
import { readFile, readlink } from "node:fs/promises";
import { startOf } from "@fleetban/kit/drivers/process-start";

/** Whether it is a postgres that works on that cluster. */
export async function isPostgresOf(pid: number, cluster: string): Promise<boolean> {
  if ((await startOf(pid)) === undefined) return false;
  const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
  return name.trim() === "postgres" && (await readlink(`/proc/${pid}/cwd`).catch(() => "")) === cluster;
}
