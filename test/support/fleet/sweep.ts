/** Removes what an earlier run left that was killed before it could clean up: namespaces named after a dead process. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

const exec = promisify(execFile);
const OURS = /^fb-(\d+)-/;

export async function sweepStaleNamespaces(): Promise<void> {
  const { stdout } = await exec("ip", ["netns", "list"]);
  const names = stdout.split("\n").map((line) => line.split(" ")[0] ?? "");
  for (const name of names) {
    const owner = OURS.exec(name)?.[1];
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue;
    const { stdout: pids } = await exec("ip", ["netns", "pids", name]);
    for (const pid of pids.split("\n").filter(Boolean)) await exec("kill", ["-9", pid]).catch(() => undefined); // gone meanwhile
    await exec("ip", ["netns", "del", name]).catch(() => undefined); // another run sweeps too
  }
}
