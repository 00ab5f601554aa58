/**
 * A real Redis for tests: a child process on a socket in a temporary folder, without a TCP port and without a service.
 *
 * Debian's `redis-tools` carries the server under another name; it becomes a server by its first argument.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Redis } from "ioredis";

export interface TestRedis {
  /** For `new Redis(url)`: the path of its socket. */
  readonly url: string;
  start(): Promise<void>;
  /** kill -9; what it had not yet written is gone. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

const PROGRAMS = [
  { path: "/usr/bin/redis-server", argv0: "redis-server" },
  { path: "/usr/bin/redis-check-rdb", argv0: "redis-server" },
];
const START_MAX_MS = 60_000;
const POLL_MS = 20;

const program = PROGRAMS.find(({ path }) => existsSync(path));

/** For `test(name, { skip: redisMissing }, …)`. */
export const redisMissing: string | false =
  program === undefined ? "needs redis-tools (apt-get install redis-tools)" : false;

/** Not yet started. Without `durable` it keeps nothing over a kill. Stopped at the end of the test. */
export async function createTestRedis(t: TestContext, { durable = false } = {}): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), "fb-redis-"));
  const url = join(folder, "redis.sock");
  let child: ChildProcess | undefined;

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once("exit", () => resolve());
    child.kill(signal);
    await promise;
    child = undefined;
  }

  t.after(async () => {
    await end("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });

  return {
    url,
    async start() {
      if (program === undefined) throw new Error(String(redisMissing));
      const args = ["--port", "0", "--unixsocket", url, "--dir", folder, "--save", "", "--loglevel", "warning"];
      const kept = durable ? ["--appendonly", "yes", "--appendfsync", "always"] : [];
      child = spawn(program.path, [...args, ...kept], { argv0: program.argv0, stdio: "ignore" });
      await untilAnswers(url);
    },
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}

async function untilAnswers(url: string): Promise<void> {
  const deadlineMs = performance.now() + START_MAX_MS;
  const client = new Redis(url, { retryStrategy: () => POLL_MS, maxRetriesPerRequest: null });
  client.on("error", () => undefined); // not listening yet
  const late = setTimeout(() => client.disconnect(), deadlineMs - performance.now());
  try {
    await client.ping();
  } finally {
    clearTimeout(late);
    client.disconnect();
  }
}
