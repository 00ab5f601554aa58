/**
 * The ledger's beginning: its epoch and digest key, and a first kept snapshot of each list, so that there is always one
 * to serve. A new epoch begins likewise, when the database turns out to have lost commits that were served.
 */
import type { Random } from "@fleetban/kit/random";
import { Blocklist } from "@fleetban/proto/model/blocklist";
import { type DigestKey, parseDigestKey } from "@fleetban/proto/model/digest";
import type { Epoch, ListNo, Rank, Revision } from "@fleetban/proto/model/listing";
import { encodeSnapshotBody } from "@fleetban/proto/wire/snapshot";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import { coverageOf } from "./coverage.ts";
import { insertSnapshot, selectLedger, selectLists } from "./history-queries.ts";
import { momentFromSql, prefixFromSql, untilFromSql } from "./sql-values.ts";

const BYTES = 16;

/** Of several replicas the first one begins it. */
export async function beginLedger(store: Store, random: Random): Promise<void> {
  await store.transaction(async (sql) => {
    await sql`
      insert into ledger (epoch, digest_key) values (${Buffer.from(random.bytes(BYTES))}, ${Buffer.from(random.bytes(BYTES))})
      on conflict do nothing`;
    await keepFirstSnapshots(sql);
  });
}

/** Of lists that have none: those that are new. */
export async function keepFirstSnapshots(sql: Sql): Promise<void> {
  const ledger = await lock(sql);
  for (const { list, revision, keptRevision } of await selectLists(sql)) {
    const [there] = await sql`select from snapshots where list_no = ${list.list} limit 1`;
    if (there === undefined) await keepNow(sql, list.list, ledger, revision, keptRevision);
  }
}

/** Gives false when another replica has begun one meanwhile, or the lost commits are back. */
export async function renewEpoch(store: Store, random: Random, epoch: Epoch, served: Revision): Promise<boolean> {
  return store.transaction(async (sql) => {
    const ledger = await lock(sql);
    if (ledger.epoch !== epoch || ledger.revision >= served) return false;
    const fresh = { epoch: Buffer.from(random.bytes(BYTES)), key: Buffer.from(random.bytes(BYTES)) };
    await sql`update ledger set epoch = ${fresh.epoch}, digest_key = ${fresh.key}, begun_at = clock_timestamp()`;
    await sql`delete from snapshots`;
    await sql`delete from changes`;
    await sql`delete from revisions`;
    const renewed = { epoch: fresh.epoch.toString("hex") as Epoch, key: parseDigestKey(fresh.key) };
    for (const { list, revision, keptRevision } of await selectLists(sql)) {
      await keepNow(sql, list.list, renewed, revision, keptRevision);
    }
    return true;
  });
}

async function lock(sql: Sql) {
  await sql`select from ledger for update`;
  const ledger = await selectLedger(sql);
  if (ledger === undefined) throw new Error("internal error: the ledger has no row");
  return ledger;
}

/** From the rows themselves: the digest is summed anew. */
async function keepNow(
  sql: Sql,
  list: ListNo,
  { epoch, key }: { epoch: Epoch; key: DigestKey },
  revision: Revision,
  keptRevision: Revision,
): Promise<void> {
  const blocklist = new Blocklist(list, key);
  const rows = await sql<{ prefix: string; until: number | null; rank: number; begun: number | null }[]>`
    select prefix::text, extract(epoch from until)::float8 as until, rank, extract(epoch from begun_at)::float8 as begun
    from listings where list_no = ${list}`;
  for (const row of rows) {
    const { prefix, until, rank, begun } = row;
    blocklist.put({
      prefix: prefixFromSql(prefix),
      until: untilFromSql(until),
      rank: rank as Rank,
      begun: momentFromSql(begun),
    });
  }
  const { digest } = blocklist;
  const made = await encodeSnapshotBody(blocklist);
  await insertSnapshot(sql, { list, epoch, revision, ...made, digest, listings: blocklist.size, approved: false });
  const kept = revision > keptRevision ? revision : keptRevision;
  const covered = coverageOf(blocklist.listings());
  await sql`
    update lists set digest = ${digest.toString()}::numeric, listings = ${blocklist.size},
      covered_addresses = ${covered[4].toString()}::numeric, covered_networks = ${covered[6].toString()}::numeric, kept_revision = ${kept},
      kept_at = clock_timestamp(), changed_since_kept = 0, changes_after = ${revision}
    where list_no = ${list}`;
}
