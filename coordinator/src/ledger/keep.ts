/**
 * Stores the snapshot of a revision that was marked kept: one replica makes it, from its own head as it passed, all
 * serve the same bytes. History behind the last but one is dropped, and snapshots but the newest two and one a day.
 */
import type { List } from "@fleetban/proto/model/listing";
import { encodeSnapshotBody, type Snapshot } from "@fleetban/proto/wire/snapshot";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import { insertSnapshot } from "./history-queries.ts";
import type { ListState } from "./list-state.ts";

const KEEP_LOCK = 7742;
const DAYS_KEPT = 7;

/** Absent = another replica is at it, or has done it. */
export async function keepSnapshot(store: Store, state: ListState): Promise<Snapshot | undefined> {
  const { toKeep, list, epoch } = state;
  if (toKeep === undefined) return undefined;
  return store.transaction(async (sql) => {
    const [mine] = await sql<{ mine: boolean }[]>`select pg_try_advisory_xact_lock(${KEEP_LOCK}, ${list.list}) as mine`;
    if (mine?.mine !== true) return undefined;
    const { revision, blocklist, digest } = toKeep;
    const [there] = await sql`
      select from snapshots where list_no = ${list.list} and revision >= ${revision}
      union all select from ledger where epoch <> decode(${epoch}, 'hex')`;
    if (there !== undefined) return undefined;
    const made = await encodeSnapshotBody(blocklist);
    const snapshot = { list: list.list, epoch, revision, ...made, digest, listings: blocklist.size, approved: false };
    await insertSnapshot(sql, snapshot);
    await prune(sql, list);
    return snapshot;
  });
}

async function prune(sql: Sql, { list }: List): Promise<void> {
  await sql`
    with newest as (
      select revision from snapshots where list_no = ${list} order by revision desc limit 2
    ), daily as (
      select max(revision) as revision from snapshots
      where list_no = ${list} and made_at > clock_timestamp() - ${DAYS_KEPT}::int * interval '1 day' group by made_at::date
    )
    delete from snapshots where list_no = ${list}
      and revision not in (select revision from newest) and revision not in (select revision from daily)`;
  const [floor] = await sql<{ revision: number | null }[]>`
    select min(revision) as revision from
      (select revision from snapshots where list_no = ${list} order by revision desc limit 2) as newest`;
  const before = floor?.revision ?? 0;
  await Promise.all([
    sql`delete from changes where list_no = ${list} and revision <= ${before}`,
    sql`delete from revisions where list_no = ${list} and revision < ${before}`,
    sql`update lists set changes_after = greatest(changes_after, ${before}) where list_no = ${list}`,
  ]);
}
