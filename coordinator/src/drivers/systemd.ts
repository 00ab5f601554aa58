/** Tells systemd, where it asked to be told, that the program is ready or stops; by its own program, no socket of ours. */
import { execFile } from "node:child_process";

export type SystemdState = "READY=1" | "STOPPING=1";

/** Never fails: an installation without systemd has nobody to tell. */
export function notifySystemd(state: SystemdState, notifySocket: string | undefined): Promise<void> {
  if (notifySocket === undefined || notifySocket === "") return Promise.resolve();
  return new Promise((resolve) => {
    execFile("systemd-notify", ["--no-block", state], { timeout: 2_000 }, () => resolve());
  });
}
