/**
 * A program of ours as a child: its output goes to its log, and it is started anew, after a pause, whenever it ends by itself.
 *
 * It leads a process group of its own, so that Ctrl-C reaches only us and we end things in their order; where `setpriv` is
 * there (util-linux), the kernel tells it to end when we are killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { backoffMs } from "../../kit/src/backoff.ts";
import { systemClock } from "../../kit/src/drivers/system-clock.ts";
import { systemRandom } from "../../kit/src/drivers/system-random.ts";
import type { ProgramLog } from "./program-log.ts";
import { StartError } from "./start-error.ts";

export interface ProgramSpec {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly log: ProgramLog;
}

export interface ProgramParts {
  readonly tell: (text: string) => void;
  /** After each start and end. */
  readonly onPid: (name: string, pid: number | undefined) => void;
}

export interface RunningProgram {
  /** Rejects when it ends before `keepAlive`. */
  readonly ended: Promise<never>;
  /** From now on it is started anew. */
  keepAlive(): void;
  stop(): Promise<void>;
}

const SETPRIV = "/usr/bin/setpriv";
const STOP_MS = 60_000; // the coordinator closes its database: 5 s, more on a busy machine
const KILL_MS = 5_000;
const LAST_WORDS_MS = 500;
const SETTLED_MS = 60_000;
const BACKOFF = { baseMs: 500, maxMs: 30_000 };

export function startProgram(spec: ProgramSpec, parts: ProgramParts): RunningProgram {
  const early = Promise.withResolvers<never>();
  early.promise.catch(() => undefined); // whoever waits for it is told
  const stopping = new AbortController();
  let isKept = false;
  let child: ChildProcess | undefined;

  async function run(): Promise<void> {
    for (let deaths = 0; !stopping.signal.aborted; ) {
      const begunMs = systemClock.monotonicMs();
      child = spawnProgram(spec);
      parts.onPid(spec.name, child.pid);
      const how = await endOf(child);
      parts.onPid(spec.name, undefined);
      if (stopping.signal.aborted) return;
      const said = `the ${spec.name} ended (${how}): ${spec.log.lastWords()}`;
      if (!isKept) return early.reject(new StartError("program-ended", said, { hint: `its log: ${spec.log.path}` }));
      deaths = systemClock.monotonicMs() - begunMs > SETTLED_MS ? 1 : deaths + 1;
      const pauseMs = BACKOFF.baseMs + backoffMs(deaths, systemRandom, BACKOFF);
      parts.tell(`${said}; starting it again in ${(pauseMs / 1_000).toFixed(1)} s`);
      await systemClock.sleep(pauseMs, stopping.signal).catch(() => undefined); // stopped meanwhile
    }
  }

  const running = run();
  return {
    ended: early.promise,
    keepAlive() {
      isKept = true;
    },
    async stop() {
      stopping.abort();
      for (const [signal, waitMs] of [
        ["SIGTERM", STOP_MS],
        ["SIGKILL", KILL_MS],
      ] as const) {
        child?.kill(signal);
        if (await isOverWithin(running, waitMs)) return;
        parts.tell(`the ${spec.name} has not ended for ${waitMs / 1_000} s`);
      }
    },
  };
}

function spawnProgram({ file, args, log }: ProgramSpec): ChildProcess {
  const [command, ...all] = existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "TERM", file, ...args] : [file, ...args];
  const child = spawn(command ?? file, all, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => log.add(text));
  }
  return child;
}

/** With its last words; not with those of whoever has inherited its output and keeps it open. */
function endOf(child: ChildProcess): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  child.once("error", (error) => resolve(error.message));
  child.once("close", (code, signal) => resolve(signal ?? `exit ${code}`));
  child.once("exit", () => {
    const hangUp = setTimeout(() => [child.stdout, child.stderr].map((stream) => stream?.destroy()), LAST_WORDS_MS);
    child.once("close", () => clearTimeout(hangUp));
  });
  return promise;
}

async function isOverWithin(running: Promise<void>, waitMs: number): Promise<boolean> {
  const late = new AbortController();
  const timeout = systemClock.sleep(waitMs, late.signal).then(
    () => false,
    () => true,
  );
  const isOver = await Promise.race([running.then(() => true), timeout]);
  late.abort();
  return isOver;
}
