/** When a process began, as /proc has it: with its number it names one process for ever, not whoever has the number later. */
import { readFile } from "node:fs/promises";

/** In clock ticks since boot. Undefined for one that has ended, a zombie included. */
export async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" "); // the name before may contain anything
  if (text === "" || fields[0] === "Z") return undefined;
  return fields[19];
}
