/** What /proc says of a process. Nothing for one that has ended, a zombie included. */
import { readFile, readlink } from "node:fs/promises";

/** Its start in clock ticks since boot: with the number it names one process. */
export async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" "); // the name before may contain anything
  if (text === "" || fields[0] === "Z") return undefined;
  return fields[19];
}

/** Whether it is a postgres that works on that cluster. */
export async function isPostgresOf(pid: number, cluster: string): Promise<boolean> {
  if ((await startOf(pid)) === undefined) return false;
  const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
  return name.trim() === "postgres" && (await readlink(`/proc/${pid}/cwd`).catch(() => "")) === cluster;
}
