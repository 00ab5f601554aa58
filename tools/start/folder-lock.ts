/**
 * One `npm start` a folder, by a socket that the kernel closes with its owner; and a file that says who that is.
 *
 * The file also names the programs that were started, so that a start after a kill -9 finds and ends what is left of them.
 */
import { createHash } from "node:crypto";
import { readFile, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileAtomic } from "../../kit/src/drivers/atomic-file.ts";
import { isAlive, type ProcessName, processFacts } from "./process-facts.ts";
import { StartError } from "./start-error.ts";

export interface Run {
  readonly owner: ProcessName;
  readonly isEnding: boolean;
  readonly programs: readonly (ProcessName & { readonly name: string })[];
}

export interface FolderLock extends AsyncDisposable {
  /** What the one before left running, if it did not end by itself. */
  readonly left: Run["programs"];
  record(programs: ReadonlyMap<string, number>, isEnding: boolean): Promise<void>;
}

const LOOK_EVERY_MS = 100;
const WAIT_MS = 1_500; // for one whose npm was killed just now: it sees that within a second
const ENDING_WAIT_MS = 90_000; // longer than it gives its programs

export async function lockFolder(folder: string, runFile: string, tell: (text: string) => void): Promise<FolderLock> {
  const server = await hold(await lockName(folder), () => readRun(runFile), tell, folder);
  const left = (await readRun(runFile))?.programs.filter(isAlive) ?? [];
  return {
    left,
    async record(programs, isEnding) {
      const named = [...programs].flatMap(([name, pid]) => nameOf(pid).map((process) => ({ name, ...process })));
      const [owner] = nameOf(process.pid);
      await writeFileAtomic(runFile, Buffer.from(`${JSON.stringify({ owner, isEnding, programs: named })}\n`), 0o644);
    },
    async [Symbol.asyncDispose]() {
      await rm(runFile, { force: true });
      server.close();
    },
  };
}

/** The same for the same folder, by whatever path it is reached. */
async function lockName(folder: string): Promise<string> {
  const { dev, ino } = await stat(folder, { bigint: true });
  return `\0fleetban-start-${createHash("sha256").update(`${dev} ${ino}`).digest("hex").slice(0, 32)}`;
}

async function hold(
  name: string,
  readOther: () => Promise<Run | undefined>,
  tell: (text: string) => void,
  folder: string,
): Promise<Server> {
  const begunMs = performance.now();
  for (let hasTold = false; ; ) {
    const server = await listen(name);
    if (server !== undefined) return server;
    const other = await readOther();
    const waitedMs = performance.now() - begunMs;
    if (waitedMs > (other?.isEnding === true ? ENDING_WAIT_MS : WAIT_MS)) throw inUse(folder, other?.owner.pid);
    if (other?.isEnding === true && !hasTold) {
      tell("waiting for the start before to end …");
      hasTold = true;
    }
    await sleep(LOOK_EVERY_MS);
  }
}

function listen(name: string): Promise<Server | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>();
  const server = createServer((socket) => socket.destroy());
  server.once("error", (error: NodeJS.ErrnoException) =>
    error.code === "EADDRINUSE" ? resolve(undefined) : reject(error),
  );
  server.listen(name, () => resolve(server));
  return promise;
}

function inUse(folder: string, pid: number | undefined): StartError {
  const who = pid === undefined ? "another npm start" : `another npm start (process ${pid})`;
  const stop = pid === undefined ? "stop it" : `stop it with: kill ${pid}`;
  return new StartError("data-in-use", `${folder}: is in use by ${who}`, {
    hint: `${stop}; or run a second installation: npm start -- --data DIR --port-base 17741`,
  });
}

async function readRun(runFile: string): Promise<Run | undefined> {
  try {
    return JSON.parse(await readFile(runFile, "utf8")) as Run;
  } catch {
    return undefined; // none, or one that a crash of the machine damaged: there is nothing left to end then
  }
}

function nameOf(pid: number): ProcessName[] {
  const facts = processFacts(pid);
  return facts === undefined ? [] : [{ pid, startedAt: facts.startedAt }];
}
