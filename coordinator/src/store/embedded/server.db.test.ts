/** The Postgres that the coordinator brings with it: wherever the data lies, and whoever was killed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startOf } from "@fleetban/kit/drivers/process-start";
import { silentLog } from "@fleetban/kit/log";
import { openStore } from "../open-store.ts";
import type { Store } from "../store.ts";

const isRoot = process.getuid?.() === 0;

test("it works from a path with blanks, a quote and commas, too long for a socket, and keeps its data", async (t) => {
  const dataDir = join(await folder(t), "a b, 'c'", "x".repeat(100));
  await mkdir(dataDir, { recursive: true });
  await withStore(dataDir, (store) => store.sql`create table kept as select 7 as number`);
  await withStore(dataDir, async (store) => {
    assert.equal(store.kind, "embedded");
    assert.deepEqual([...(await store.sql`select number from kept`)], [{ number: 7 }]);
  });
});

test("it works below a folder that only root can pass", { skip: !isRoot && "needs root" }, async (t) => {
  const closed = await folder(t);
  await chmod(closed, 0o700);
  await withStore(join(closed, "data"), async (store) => {
    const [row] = await store.sql<{ uid: string }[]>`select current_setting('data_directory') as uid`;
    assert.ok(row?.uid.startsWith(closed));
  });
});

test("a making of the cluster that broke off is begun anew", async (t) => {
  const dataDir = await folder(t);
  await mkdir(join(dataDir, "postgres", "cluster.new", "base"), { recursive: true });
  await writeFile(join(dataDir, "postgres", "cluster.new", "PG_VERSION"), "1\n");
  await withStore(dataDir, (store) => store.sql`select 1`);
  assert.ok(!(await readdir(join(dataDir, "postgres"))).includes("cluster.new"));
});

test("a second coordinator on the same data is refused, and the first goes on", async (t) => {
  const dataDir = await folder(t);
  const coordinator = await startCoordinator(dataDir);
  await assert.rejects(openStore({ dataDir, log: silentLog }), { code: "data-folder-in-use" });
  coordinator.kill("SIGTERM");
  await once(coordinator, "exit");
});

test("after kill -9 of the coordinator the next one finds its data, whatever became of the old Postgres", async (t) => {
  const dataDir = await folder(t);
  const cluster = join(dataDir, "postgres", "cluster");
  for (const round of [1, 2]) {
    const coordinator = await startCoordinator(dataDir);
    const pid = Number.parseInt(await readFile(join(cluster, "postmaster.pid"), "utf8"), 10);
    if (round === 2) process.kill(pid, "SIGSTOP"); // it can't shut down by itself, as when setpriv is not there
    coordinator.kill("SIGKILL");
    await once(coordinator, "exit");
    if (round === 2) setImmediate(() => process.kill(pid, "SIGCONT"));
    await withStore(dataDir, async (store) => {
      const [row] = await store.sql<{ count: number }[]>`select count(*)::int as count from kept`;
      assert.equal(row?.count, round);
      assert.equal(await startOf(pid), undefined);
    });
  }
  await writeFile(join(cluster, "postmaster.pid"), `${process.pid}\n`); // a number that belongs to somebody else by now
  await withStore(dataDir, (store) => store.sql`select 1`);
});

test("a folder with initdb and postgres is used where one is named", async (t) => {
  const programs = "/usr/lib/postgresql/15/bin";
  if ((await stat(programs).catch(() => undefined)) === undefined) return t.skip("postgresql-15 is not installed");
  const dataDir = await folder(t);
  const store = await openStore({ dataDir, postgresPrograms: programs, log: silentLog });
  const [row] = await store.sql<{ version: number }[]>`select current_setting('server_version_num')::int as version`;
  await store.close();
  assert.equal(Math.floor(row!.version / 10_000), 15);
  // Only the Postgres that made the data can open it, so it is found again without being named.
  await withStore(dataDir, (again) => again.sql`select 1`);
  const missing = openStore({ dataDir: await folder(t), postgresPrograms: "/nowhere", log: silentLog });
  await assert.rejects(missing, { code: "postgres-not-found" });
});

async function withStore(dataDir: string, work: (store: Store) => Promise<unknown>): Promise<void> {
  const store = await openStore({ dataDir, log: silentLog });
  try {
    await work(store);
  } finally {
    await store.close();
  }
}

/** A process of its own that opens the store, and adds a row to `kept`. */
async function startCoordinator(dataDir: string) {
  const program = `
    import { openStore } from ${JSON.stringify(new URL("../open-store.ts", import.meta.url).href)};
    import { silentLog } from ${JSON.stringify(import.meta.resolve("@fleetban/kit/log"))};
    const store = await openStore({ dataDir: ${JSON.stringify(dataDir)}, log: silentLog });
    await store.sql\`create table if not exists kept (number int)\`;
    await store.sql\`insert into kept values (1)\`;
    process.on("SIGTERM", () => store.close().then(() => process.exit(0)));
    console.log("open");
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return child;
}

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(await realpath(tmpdir()), "fleetban store "));
  await chmod(made, 0o755);
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}
