/**
 * Opens the coordinator's database: a server by its URL, or one that this process brings with it in its data folder.
 * Resolves when it answers and its schema is what this program knows.
 */
import { join } from "node:path";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import type { Log } from "@fleetban/kit/log";
import { type Address, type ConnectOptions, connect } from "./connect.ts";
import { openServer, type Server } from "./embedded/server.ts";
import { openLane } from "./lane.ts";
import { openLanes } from "./lanes.ts";
import { listen } from "./listen.ts";
import { migrate } from "./migrate.ts";
import { openPool } from "./pool.ts";
import type { Store } from "./store.ts";
import { isPassing, StoreError } from "./store-error.ts";

export interface StoreParts {
  /** Absent = the embedded Postgres. */
  readonly databaseUrl?: string;
  readonly dataDir: string;
  /** For the embedded one: a folder with `initdb` and `postgres`, instead of the npm package's. */
  readonly postgresPrograms?: string;
  readonly log: Log;
}

const POOL_CONNECTIONS = 6;
const LANES = 3;
const OPEN_TIMEOUT_MS = 60_000;
const RETRY_MS = 25;

export async function openStore({ databaseUrl, dataDir, postgresPrograms, log }: StoreParts): Promise<Store> {
  if (databaseUrl !== undefined) return openAt({ kind: "url", url: databaseUrl }, "postgres", log);
  const programs = postgresPrograms === undefined ? {} : { programs: postgresPrograms };
  const server = await openServer({ folder: join(dataDir, "postgres"), ...programs }, log);
  const address: Address = { kind: "socket", folder: server.socketFolder, database: "postgres" };
  try {
    const store = await openAt(address, "embedded", log, server);
    return { ...store, close: () => store.close().finally(() => server.close()) };
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** Over a server that is somebody else's affair. */
export async function openAt(address: Address, kind: Store["kind"], log: Log, server?: Server): Promise<Store> {
  const connectWith = (options: ConnectOptions) => connect(address, log, options);
  const pool = openPool(connectWith, POOL_CONNECTIONS);
  const lanes = openLanes(() => openLane(connectWith), LANES);
  const close = async () => {
    await Promise.all([lanes.close(), pool.close()]);
  };
  try {
    const opened = async () => {
      await untilItAnswers(async () => pool.sql`select 1`);
      await untilItAnswers(() => migrate(lanes, log));
    };
    await Promise.race(server === undefined ? [opened()] : [opened(), server.failed]);
    server?.hasAnswered();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    sql: pool.sql,
    kind,
    transaction: lanes.transaction,
    openLane: () => openLane(connectWith),
    listen: (channel, heard, signal) => listen(connectWith, channel, heard, signal),
    close,
  };
}

async function untilItAnswers(ask: () => Promise<unknown>): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + OPEN_TIMEOUT_MS;
  for (;;) {
    try {
      await ask();
      return;
    } catch (cause) {
      if (!isPassing(cause)) throw cause;
      if (systemClock.monotonicMs() > deadlineMs) {
        throw new StoreError("postgres-not-started", `Postgres has not answered for ${OPEN_TIMEOUT_MS / 1000} s`, {
          hint: "look at its log; is databaseUrl right?",
          cause,
        });
      }
      await systemClock.sleep(RETRY_MS);
    }
  }
}
