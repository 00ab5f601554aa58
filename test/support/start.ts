/** `npm start` as somebody types it in a terminal: its lines, Ctrl-C, and what is left when it has ended. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { until } from "./until.ts";

export interface Terminal {
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** The five lines it ends its start with. */
  closingLines(): Promise<readonly string[]>;
  /** To everything in the foreground, as a terminal does. */
  pressCtrlC(): void;
  /** Exit code, or the signal that ended it. */
  end(): Promise<number | string | null>;
}

export interface TypedCommand {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
}

const LINES = 5;
const START_MS = 120_000;

export function typeCommand(command: readonly string[], { cwd, env = {}, uid }: TypedCommand): Terminal {
  const { INIT_CWD: _, ...inherited } = process.env;
  const [program = "", ...args] = command;
  const as = uid === undefined ? {} : { uid, gid: uid };
  const child: ChildProcess = spawn(program, args, {
    cwd,
    env: { ...inherited, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    ...as,
  });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      texts[name] += text;
    });
  }
  const ended = new Promise<number | string | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(signal ?? code));
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    async closingLines() {
      const lines = () => texts.stdout.split("\n").filter((line) => line !== "" && !line.startsWith("> "));
      const isOver = () => child.exitCode !== null || child.signalCode !== null;
      await until("the start's closing lines", () => isOver() || lines().length >= LINES, START_MS);
      if (isOver()) throw new Error(`it ended: ${texts.stderr}`);
      return lines();
    },
    pressCtrlC: () => void process.kill(-pid, "SIGINT"),
    end: () => ended,
  };
}

/** Living processes of which the command line contains `text`, as `name (pid)`. */
export async function processesWith(text: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const command = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).replaceAll("\0", " "); // it ended
      return command.includes(text) ? [`${command.trim()} (${pid})`] : [];
    }),
  );
  return lines.flat();
}
