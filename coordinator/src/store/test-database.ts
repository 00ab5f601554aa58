/**
 * A real Postgres for `*.db.test.ts`: one embedded server a test process, in a temporary folder, and for each test a
 * database cloned from a migrated template. A connection that a test leaves open fails the test.
 *
 *   const { store } = await createTestDatabase(t);
 */
import { chmod, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { type Address, connect } from "./connect.ts";
import { openServer, type Server } from "./embedded/server.ts";
import { openAt } from "./open-store.ts";
import { openPool, type Pool } from "./pool.ts";
import type { Sql } from "./sql.ts";
import type { Store } from "./store.ts";

export interface TestDatabase {
  /** Closed at the end of the test. */
  readonly store: Store;
  /** Another store over the same database, as another replica has; closed at the end of the test. */
  open(): Promise<Store>;
  /** kill -9 of the server of this process' tests, which is started anew by itself. Resolves when the process is gone. */
  killServer(): Promise<void>;
}

interface TestServer {
  readonly server: Server;
  readonly folder: string;
  readonly admin: Pool;
}

const TEMPLATE = "template_fleetban";
const LEAK_PATIENCE_MS = 30_000; // a backend takes a moment to see that its client has gone

/** Run before the test's stores are closed, last registered first: `t.after` runs first registered first. */
const closers = new WeakMap<Store, (() => Promise<void>)[]>();

let serving: Promise<TestServer> | undefined;
let databases = 0;

after(async () => {
  if (serving === undefined) return;
  const { server, folder, admin } = await serving;
  await admin.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** For whatever works on the store until it is closed. */
export function beforeClose(store: Store, close: () => Promise<void>): void {
  closers.get(store)?.unshift(close);
}

export async function createTestDatabase(t: TestContext): Promise<TestDatabase> {
  serving ??= startServer();
  const {
    server,
    admin: { sql: admin },
  } = await serving;
  databases += 1;
  const name = `test_${databases}`;
  await admin.unsafe(`create database ${name} template ${TEMPLATE}`);
  const stores: Store[] = [];
  const open = async () => {
    const store = await openAt(addressOf(server, name), "postgres", silentLog);
    stores.push(store);
    closers.set(store, []);
    return store;
  };
  t.after(async () => {
    for (const store of stores) for (const close of closers.get(store) ?? []) await close();
    await Promise.all(stores.map((store) => store.close()));
    await assertNobodyConnected(admin, name);
    await admin.unsafe(`drop database ${name} with (force)`);
  });
  return {
    store: await open(),
    open,
    async killServer() {
      const pid = server.pid();
      if (pid === undefined) return;
      process.kill(pid, "SIGKILL");
      while (server.pid() === pid) await systemClock.sleep(1);
    },
  };
}

async function startServer(): Promise<TestServer> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), "fleetban test "));
  await chmod(folder, 0o755); // for the account that Postgres runs under
  const server = await openServer({ folder }, silentLog);
  // Asked while the server is away, a client of the driver's own would hang for ever.
  const admin = openPool((options) => connect(addressOf(server, "postgres"), silentLog, options), 1);
  await (await openAt(addressOf(server, "postgres"), "postgres", silentLog)).close(); // waits, and migrates what is cloned
  await admin.sql.unsafe(`create database ${TEMPLATE} template postgres`);
  return { server, folder, admin };
}

function addressOf(server: Server, database: string): Address {
  return { kind: "socket", folder: server.socketFolder, database };
}

async function assertNobodyConnected(admin: Sql, name: string): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + LEAK_PATIENCE_MS;
  for (;;) {
    const left = await connections(admin, name);
    if (left.length === 0) return;
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`the test left connections open: ${left.join("; ")}`);
    await systemClock.sleep(20);
  }
}

async function connections(admin: Sql, name: string): Promise<string[]> {
  try {
    const rows = await admin<{ query: string }[]>`select query from pg_stat_activity where datname = ${name}`;
    return rows.map(({ query }) => query);
  } catch {
    return ["(the server is coming back)"];
  }
}
