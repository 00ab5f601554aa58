/**
 * Day partitions of `sightings`, made ahead and dropped by age, and what else is forgotten by age.
 *
 * A day that was not made ahead lands in the default partition; when its own is made, its rows move.
 */
import type { Policy } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";

const DAYS_AHEAD = 7;
const DAY_MS = 86_400_000;
const OFFENDER_DAYS = 180;
const NAME = /^sightings_(\d{4})(\d{2})(\d{2})$/;

export async function keepPartitions(store: Store, nowMs: number, policy: Policy): Promise<void> {
  const partitions = await selectPartitions(store.sql);
  for (let day = -1; day <= DAYS_AHEAD; day += 1) {
    const name = nameOf(nowMs + day * DAY_MS);
    if (!partitions.includes(name)) await store.transaction((sql) => makePartition(sql, name));
  }
  const oldestMs = nowMs - policy.retentionSeconds * 1000 - DAY_MS; // a whole day is dropped, so its last hour decides
  for (const name of partitions) {
    if (beginOf(name) < oldestMs) await store.transaction((sql) => dropPartition(sql, name));
  }
}

/** Spools go with their sightings, which would be refused as too old; offenders that nobody has seen for half a year. */
export async function forgetOld(sql: Sql, policy: Policy): Promise<void> {
  await sql`delete from spools where last_at < clock_timestamp() - ${policy.retentionSeconds}::int * interval '1 second'`;
  await sql`delete from writes where at < clock_timestamp() - interval '1 day'`; // nobody asks for longer
  await sql`
    delete from offenders where last_at < clock_timestamp() - ${OFFENDER_DAYS}::int * interval '1 day'
      and decays_at < clock_timestamp()`;
}

async function selectPartitions(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'sightings'::regclass`;
  return rows.map(({ name }) => name).filter((name) => NAME.test(name));
}

/** Waits for the table's lock a second at most: commits queue behind whoever waits. */
async function makePartition(sql: Sql, name: string): Promise<void> {
  const from = new Date(beginOf(name)).toISOString();
  const to = new Date(beginOf(name) + DAY_MS).toISOString();
  await sql`set local lock_timeout = '1s'`;
  await sql`lock table sightings in access exclusive mode`;
  const [there] = await sql`select from pg_class where relname = ${name}`;
  if (there !== undefined) return; // another replica was quicker
  await sql.unsafe(`create table ${name} (like sightings including defaults)`);
  await sql.unsafe(`
    with moved as (delete from sightings_default where received_at >= '${from}' and received_at < '${to}' returning *)
    insert into ${name} select * from moved`);
  await sql.unsafe(`alter table sightings attach partition ${name} for values from ('${from}') to ('${to}')`);
}

async function dropPartition(sql: Sql, name: string): Promise<void> {
  await sql`set local lock_timeout = '1s'`;
  await sql.unsafe(`drop table if exists ${name}`);
}

function nameOf(moment: number): string {
  return `sightings_${new Date(moment).toISOString().slice(0, 10).replaceAll("-", "")}`;
}

function beginOf(name: string): number {
  const [, year, month, day] = NAME.exec(name) ?? [];
  return Date.UTC(Number(year), Number(month) - 1, Number(day));
}
