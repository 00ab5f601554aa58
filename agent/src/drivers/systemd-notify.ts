/**
 * Tells systemd that the agent is ready, and that it still lives.
 *
 * By systemd's own program: Node has no unix datagram sockets. `--no-block`, or it would wait for an answer that a
 * stand-in for systemd does not give. Called from the main loop, so that a hung loop stops the watchdog's pings.
 */
import { spawn } from "node:child_process";

export interface SystemdNotify {
  ready(): void;
  alive(): void;
  stopping(): void;
  /** How often `alive` is due: half of what systemd waits; undefined = nobody waits. */
  readonly aliveEveryMs: number | undefined;
}

export function createSystemdNotify(environment: NodeJS.ProcessEnv): SystemdNotify {
  const { NOTIFY_SOCKET: socket = "", WATCHDOG_USEC: watchdogUs = "0", PATH } = environment;
  const tell = (state: string) => {
    if (socket === "") return;
    const child = spawn("systemd-notify", ["--no-block", state], {
      stdio: "ignore",
      env: { PATH, NOTIFY_SOCKET: socket },
    });
    child.on("error", () => undefined); // no such program: then this is no systemd either
  };
  return {
    ready: () => tell("READY=1"),
    alive: () => tell("WATCHDOG=1"),
    stopping: () => tell("STOPPING=1"),
    aliveEveryMs: socket !== "" && Number(watchdogUs) > 0 ? Number(watchdogUs) / 2_000 : undefined,
  };
}
