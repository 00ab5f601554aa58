/**
 * The embedded Postgres: one child process over a folder, started anew whenever it dies, until it is closed.
 *
 * Data that was committed is there after any kill: fsync is on. Clients see lost connections meanwhile, and retry.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { backoffMs } from "@fleetban/kit/backoff";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import type { Log } from "@fleetban/kit/log";
import { StoreError } from "../store-error.ts";
import { accountFor, runAs } from "./account.ts";
import { majorOfCluster, makeCluster } from "./cluster.ts";
import { lockFolder } from "./folder-lock.ts";
import { findProgram } from "./program.ts";
import { makeSocketFolder } from "./socket-folder.ts";
import { clearStaleServer } from "./stale-server.ts";

export interface Server {
  readonly socketFolder: string;
  /** Undefined while it is being started anew. */
  pid(): number | undefined;
  /** Rejects when it never stayed up: it died many times in a row, each time at once. */
  readonly failed: Promise<never>;
  /** It answered: from now on it is started anew for ever. */
  hasAnswered(): void;
  close(): Promise<void>;
}

export interface ServerPlaces {
  readonly folder: string;
  /** A folder with `initdb` and `postgres` to use. */
  readonly programs?: string;
}

const SETTINGS = {
  shared_buffers: "64MB",
  max_connections: "40",
  wal_compression: "on",
  max_wal_size: "512MB",
  jit: "off",
  listen_addresses: "",
  synchronous_commit: "on",
  timezone: "UTC",
  log_timezone: "UTC",
  unix_socket_permissions: "0700",
};

/** For the npm package's programs where Postgres' account can't reach the data's folder. Nothing but a cache. */
const REACHABLE_COPIES = "/var/cache/fleetban";

const STOPS = [
  { signal: "SIGINT", waitMs: 15_000 }, // fast shutdown
  { signal: "SIGQUIT", waitMs: 5_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
] as const;
const SETTLED_AFTER_MS = 1_000; // whatever is wrong with folder or settings ends it sooner
const DEATHS_IN_A_ROW_MAX = 20; // with the pauses about 40 s: the shared memory of a killed one is gone by then
const LINES_KEPT = 20;

export async function openServer(places: ServerPlaces, log: Log): Promise<Server> {
  const { folder } = places;
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const lock = await lockFolder(join(folder, "coordinator.pid"));
  try {
    return await startServer(places, log, lock.release);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function startServer(places: ServerPlaces, log: Log, release: () => Promise<void>): Promise<Server> {
  const cluster = join(places.folder, "cluster");
  const major = await majorOfCluster(cluster);
  const account = await accountFor(cluster);
  const as = await runAs(account, places.folder);
  const program = await findProgram({
    copies: as.isReachable ? places.folder : REACHABLE_COPIES,
    ...(places.programs === undefined ? {} : { given: places.programs }),
    ...(major === undefined ? {} : { major }),
  });
  if (major === undefined) await makeCluster(cluster, program, as, account);
  const socketFolder = await makeSocketFolder(join(places.folder, "run"), account);
  const args = ["-D", cluster, ...settingArgs({ ...SETTINGS, unix_socket_directories: quoted(socketFolder) })];
  const command = as.command(join(program.folder, "postgres"), args, "with us");
  const lines: string[] = [];

  let child: ChildProcess | undefined;
  let isClosing = false;
  let isProven = false;
  /** Resolves when it has ended. */
  const start = async () => {
    await clearStaleServer(cluster, log);
    // A group of its own: Ctrl-C is for the coordinator, which closes its work before its database.
    const { uid, gid } = command;
    const started = spawn(command.file, [...command.args], {
      cwd: cluster,
      detached: true,
      env: { PATH: process.env.PATH ?? "" },
      stdio: ["ignore", "ignore", "pipe"],
      ...(uid === undefined || gid === undefined ? {} : { uid, gid }),
    });
    createInterface({ input: started.stderr }).on("line", (line) => {
      lines.push(line);
      if (lines.length > LINES_KEPT) lines.shift();
      const isComplaint = / (FATAL|PANIC): /.test(line) && !line.endsWith("the database system is starting up");
      if (isComplaint) log.warn("store.postgres_complained", { line });
      else log.debug("store.postgres_said", { line });
    });
    child = started;
    await once(started, "exit").catch((error: unknown) => {
      lines.push(String(error)); // it could not be started at all
    });
  };

  const supervise = async (): Promise<void> => {
    for (let deaths = 0; ; ) {
      const begunMs = systemClock.monotonicMs();
      await start();
      child = undefined;
      if (isClosing) return;
      deaths = systemClock.monotonicMs() - begunMs > SETTLED_AFTER_MS ? 1 : deaths + 1;
      log.error("store.postgres_died", { deaths, said: lines.slice(-3) });
      if (deaths > DEATHS_IN_A_ROW_MAX && !isProven) {
        throw new StoreError("postgres-not-started", `Postgres ended ${deaths} times in a row: ${lines.join("; ")}`);
      }
      await systemClock.sleep(deaths === 1 ? 0 : 50 + backoffMs(deaths, systemRandom, { baseMs: 50, maxMs: 4_000 }));
      if (isClosing) return;
    }
  };
  const supervised = supervise();
  const failed = supervised.then(() => new Promise<never>(() => undefined));
  failed.catch(() => undefined); // whoever waits for it is told; nobody else need be

  return {
    socketFolder,
    pid: () => child?.pid,
    failed,
    hasAnswered() {
      isProven = true;
    },
    async close() {
      isClosing = true;
      await stop(
        () => child,
        supervised.catch(() => undefined),
      );
      if (!socketFolder.startsWith(places.folder)) await rm(socketFolder, { recursive: true, force: true });
      await release();
    },
  };
}

/** Asks again, because a start may have been under way when the first signal was sent. */
async function stop(child: () => ChildProcess | undefined, ended: Promise<void>): Promise<void> {
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  for (const { signal, waitMs } of STOPS) {
    const deadlineMs = systemClock.monotonicMs() + waitMs;
    let signalled: ChildProcess | undefined;
    while (!isOver && systemClock.monotonicMs() < deadlineMs) {
      if (child() !== signalled) child()?.kill(signal);
      signalled = child();
      await Promise.race([ended, systemClock.sleep(50)]);
    }
  }
}

function settingArgs(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** The setting is a list; in quotes a folder may contain commas and blanks. */
function quoted(folder: string): string {
  return `"${folder.replaceAll('"', '""')}"`;
}
