/** A program on a host that is started, stopped, killed and started again; its output is kept in a file. */
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Host } from "./host.ts";

export interface HostProgram {
  readonly host: Host;
  readonly logFile: string;
  start(): void;
  /** SIGTERM. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill9(): Promise<void>;
  isRunning(): boolean;
  pid(): number | undefined;
  /** What it has logged so far, over all its lives. */
  log(): Promise<string>;
}

export function createHostProgram(host: Host, command: string, args: readonly string[], logFile: string): HostProgram {
  let child: ChildProcess | undefined;
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    host,
    logFile,
    isRunning,
    pid: () => (isRunning() ? child?.pid : undefined),
    start() {
      if (isRunning()) throw new Error(`${command} runs already on ${host.name}`);
      const log = openSync(logFile, "a");
      child = host.spawn(command, args, { stdio: ["ignore", log, log] });
      closeSync(log);
    },
    async stop() {
      if (child !== undefined) await host.stop(child);
    },
    async kill9() {
      if (child !== undefined) await host.kill(child);
    },
    log: () => readFile(logFile, "utf8").catch(() => ""),
  };
}
