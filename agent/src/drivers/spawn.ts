/** Programs of the system, started without a shell and with messages in English. */
import { type ChildProcess, spawn as spawnChild } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import type { ProgramEnd, RunningProgram, Spawn } from "@fleetban/kit/spawn";

/** Where firewall programs live; a service's PATH may lack it. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export const spawn: Spawn = (program, args, stdout) => {
  const child = spawnChild(program, args, {
    stdio: ["pipe", stdout === "read" ? "pipe" : "ignore", "pipe"],
    env: { PATH: SYSTEM_PATH, LC_ALL: "C" },
  });
  child.stdin?.on("error", () => undefined); // a program that ended early: `ended` tells
  return running(child);
};

function running(child: ChildProcess): RunningProgram {
  return {
    async write(text) {
      const pipe = child.stdin;
      if (pipe === null || pipe.destroyed || pipe.write(text)) return;
      const settled = new AbortController();
      const { signal } = settled;
      // A pipe that breaks meanwhile: the program has ended, which `ended` tells.
      await Promise.race([once(pipe, "drain", { signal }), once(pipe, "close", { signal })])
        .catch(() => undefined)
        .finally(() => settled.abort());
    },
    endInput: () => child.stdin?.end(),
    stdout: textOf(child.stdout),
    stderr: textOf(child.stderr),
    ended: endOf(child),
    kill: () => child.kill("SIGKILL"),
  };
}

function textOf(stream: Readable | null): AsyncIterable<string> {
  return stream === null ? nothing() : stream.setEncoding("utf8");
}

async function* nothing(): AsyncIterable<string> {}

function endOf(child: ChildProcess): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      resolve({ kind: "not-started", code: error.code ?? "unknown" }),
    );
    child.once("close", (code, signal) =>
      resolve(signal === null ? { kind: "exited", code: code ?? -1 } : { kind: "killed", signal }),
    );
  });
}
