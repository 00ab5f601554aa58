/**
 * Brings the schema to what this program knows: numbered files, forward only, each in a transaction of its own.
 *
 * The migration's row is inserted first: of many starters at once one inserts it, the others wait at the advisory lock
 * and find it there. A schema newer than the program is refused.
 */
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Log } from "@fleetban/kit/log";
import type { Lane } from "./store.ts";
import { StoreError } from "./store-error.ts";

/** Beside this file, in the bundle too. */
const FOLDER = fileURLToPath(new URL("./migrations/", import.meta.url));
const LOCK = 7741_0001; // any number that no other program uses

interface Migration {
  readonly number: number;
  readonly name: string;
}

export async function migrate(lane: Lane, log: Log, folder = FOLDER): Promise<void> {
  const known = await migrationsIn(folder);
  const newest = known.at(-1)?.number ?? 0;
  const there = await schemaNumber(lane);
  if (there > newest) {
    throw new StoreError("schema-newer", `the database has schema ${there}, this program knows up to ${newest}`, {
      hint: "start the newer fleetban-coordinator, or restore the backup made before the upgrade",
    });
  }
  for (const migration of known.filter(({ number }) => number > there)) {
    const text = await readFile(`${folder}${migration.name}`, "utf8");
    if (await applied(lane, migration, text)) log.info("store.migrated", { migration: migration.name });
  }
}

async function migrationsIn(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  const migrations = names.map((name) => ({ number: Number(name.slice(0, 4)), name }));
  const twin = migrations.find(({ number }, at) => migrations[at + 1]?.number === number);
  if (twin !== undefined) throw new Error(`internal error: two migrations have number ${twin.number}`);
  return migrations;
}

function schemaNumber(lane: Lane): Promise<number> {
  return lane.transaction(async (sql) => {
    await sql`select pg_advisory_xact_lock(${LOCK})`;
    await sql`create table if not exists migrations (
      number int primary key, name text not null, applied_at timestamptz not null default clock_timestamp())`;
    const [row] = await sql<{ number: number }[]>`select coalesce(max(number), 0)::int as number from migrations`;
    return row?.number ?? 0;
  });
}

/** Whether this starter was the one. */
function applied(lane: Lane, { number, name }: Migration, text: string): Promise<boolean> {
  return lane.transaction(async (sql) => {
    await sql`select pg_advisory_xact_lock(${LOCK})`;
    const inserted = await sql`
      insert into migrations (number, name) values (${number}, ${name}) on conflict do nothing returning number`;
    if (inserted.length === 0) return false;
    await sql.unsafe(text);
    return true;
  });
}
