/** One host of a test network: processes started in its namespace, and ended by their ids. */
import { type ChildProcess, execFile, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";

const exec = promisify(execFile);
const STOP_DEADLINE_MS = 30_000; // seen: 1 s; the machine may be busy

export interface Host {
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly string[];
  spawn(command: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Resolves with stdout; rejects when the command fails. */
  run(command: string, args: readonly string[]): Promise<string>;
  /** SIGTERM, after a while SIGKILL; resolves when it is gone. */
  stop(child: ChildProcess): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(child: ChildProcess): Promise<void>;
  /** Ends everything on it; nothing can be started on it after. */
  stopAll(): Promise<void>;
}

export function createHost(name: string, namespace: string, addresses: readonly string[]): Host {
  const children = new Set<ChildProcess>();
  let isClosed = false;
  const inside = (command: string, args: readonly string[]) => ["netns", "exec", namespace, command, ...args];

  async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const gone = once(child, "exit");
    child.kill(signal);
    const killer = setTimeout(() => child.kill("SIGKILL"), STOP_DEADLINE_MS);
    await gone;
    clearTimeout(killer);
  }

  return {
    name,
    namespace,
    addresses,
    spawn(command, args, options = {}) {
      if (isClosed) throw new Error(`host ${name} is being taken down`);
      // `ip netns exec` replaces itself by the command: the child's id is the command's own.
      const child = spawn("ip", inside(command, args), { stdio: "ignore", ...options });
      children.add(child);
      child.once("exit", () => children.delete(child));
      child.once("error", () => children.delete(child));
      return child;
    },
    async run(command, args) {
      const { stdout } = await exec("ip", inside(command, args), { maxBuffer: 64 << 20 });
      return stdout;
    },
    stop: (child) => end(child, "SIGTERM"),
    kill: (child) => end(child, "SIGKILL"),
    async stopAll() {
      isClosed = true;
      await Promise.all([...children].map((child) => end(child, "SIGTERM")));
      // What a child left behind (sshd's sessions, a server that made itself a daemon) lives in this namespace only.
      await eventually(`nothing runs on ${name}`, async () => {
        const { stdout } = await exec("ip", ["netns", "pids", namespace]);
        const pids = stdout.split("\n").filter(Boolean).map(Number);
        for (const pid of pids) endProcess(pid);
        return pids.length === 0;
      });
    },
  };
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // ended meanwhile
  }
}
