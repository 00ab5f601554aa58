/** Finds and ends the processes of a process group. */
import { readdir, readFile } from "node:fs/promises";

/** Living members as `name (pid)`; zombies are nobody's fault here. */
export async function groupMembers(group: number): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const members: string[] = [];
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => ""); // it ended meanwhile
    const afterName = stat.lastIndexOf(")");
    const [state, , memberOf] = stat.slice(afterName + 2).split(" ");
    if (Number(memberOf) !== group || state === "Z") continue;
    members.push(`${stat.slice(stat.indexOf("(") + 1, afterName)} (${pid})`);
  }
  return members;
}

export function endGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // nobody left is what we want
  }
}
