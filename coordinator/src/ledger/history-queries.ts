/** What memory is made of and kept up with: epoch, lists, kept snapshots, revisions and their changes. */
import type { Change } from "@fleetban/proto/model/changes";
import { type Digest, type DigestKey, parseDigestKey } from "@fleetban/proto/model/digest";
import type { Epoch, List, ListNo, Rank, Reach, Revision } from "@fleetban/proto/model/listing";
import type { Snapshot } from "@fleetban/proto/wire/snapshot";
import type { Sql } from "../store/sql.ts";
import type { ListCommit } from "./apply-changes.ts";
import { momentFromSql, prefixFromSql, untilFromSql } from "./sql-values.ts";

export interface LedgerRow {
  readonly epoch: Epoch;
  readonly key: DigestKey;
  readonly revision: Revision;
  readonly clockMs: number;
  /** Moves when lists are added or reach otherwise. */
  readonly listsVersion: number;
}

export async function selectLedger(sql: Sql): Promise<LedgerRow | undefined> {
  const [row] = await sql<
    { epoch: Buffer; digest_key: Buffer; revision: number; clock_ms: number; lists_version: number }[]
  >`
    select epoch, digest_key, revision, extract(epoch from clock_timestamp())::float8 * 1000 as clock_ms, lists_version
    from ledger`;
  if (row === undefined) return undefined;
  return {
    epoch: row.epoch.toString("hex") as Epoch,
    key: parseDigestKey(row.digest_key),
    revision: row.revision as Revision,
    clockMs: row.clock_ms,
    listsVersion: row.lists_version,
  };
}

export interface ListRow {
  readonly list: List;
  readonly revision: Revision;
  readonly keptRevision: Revision;
  /** All changes after it are there. */
  readonly changesAfter: Revision;
  readonly committedAtMs: number;
}

export async function selectLists(sql: Sql): Promise<ListRow[]> {
  const rows = await sql<
    {
      list_no: number;
      name: string;
      effect: "deny" | "exempt";
      reach: Reach;
      requires: number[];
      lease_seconds: number;
      documentation_only: boolean;
      revision: number;
      kept_revision: number;
      changes_after: number;
      committed_at_ms: number | null;
    }[]
  >`
    select l.list_no, name, effect, reach, requires, lease_seconds, documentation_only, l.revision, kept_revision,
      changes_after, extract(epoch from r.committed_at)::float8 * 1000 as committed_at_ms
    from lists l left join revisions r on r.list_no = l.list_no and r.revision = l.revision
    order by l.list_no`;
  return rows.map((row) => ({
    list: {
      list: row.list_no as ListNo,
      name: row.name,
      effect: row.effect,
      reach: row.reach,
      leaseSeconds: row.lease_seconds,
      requires: row.requires,
      documentationOnly: row.documentation_only,
    },
    revision: row.revision as Revision,
    keptRevision: row.kept_revision as Revision,
    changesAfter: row.changes_after as Revision,
    committedAtMs: row.committed_at_ms ?? 0,
  }));
}

export async function selectNewestSnapshots(sql: Sql, list: ListNo, epoch: Epoch, count: number): Promise<Snapshot[]> {
  const rows = await sql<SnapshotRow[]>`
    select list_no, revision, digest, listings, columns_sha256, sha256, body from snapshots
    where list_no = ${list} order by revision desc limit ${count}`;
  return rows.map((row) => snapshotFromRow(row, epoch)).reverse();
}

export async function selectNewestKept(sql: Sql): Promise<Map<ListNo, Revision>> {
  const rows = await sql<{ list_no: number; revision: number }[]>`
    select l.list_no, (select max(revision) from snapshots s where s.list_no = l.list_no) as revision from lists l`;
  return new Map(rows.map((row) => [row.list_no as ListNo, row.revision as Revision]));
}

interface SnapshotRow {
  readonly list_no: number;
  readonly revision: number;
  readonly digest: string;
  readonly listings: number;
  readonly columns_sha256: Buffer;
  readonly sha256: Buffer;
  readonly body: Buffer;
}

function snapshotFromRow(row: SnapshotRow, epoch: Epoch): Snapshot {
  return {
    list: row.list_no as ListNo,
    epoch,
    revision: row.revision as Revision,
    body: row.body,
    sha256: row.sha256,
    columnsSha256: row.columns_sha256,
    digest: BigInt(row.digest) as Digest,
    listings: row.listings,
    approved: false,
  };
}

/** Makes nothing twice: the first of several replicas has stored the same bytes. */
export async function insertSnapshot(sql: Sql, snapshot: Snapshot): Promise<void> {
  await sql`
    insert into snapshots (list_no, revision, digest, listings, columns_sha256, sha256, body)
    values (${snapshot.list}, ${snapshot.revision}, ${snapshot.digest.toString()}::numeric, ${snapshot.listings},
      ${Buffer.from(snapshot.columnsSha256)}, ${Buffer.from(snapshot.sha256)}, ${Buffer.from(snapshot.body)})
    on conflict do nothing`;
}

/** Commits of one or several lists after `from`, in their order, at most so many revisions, not beyond `to`. */
export async function selectCommits(
  sql: Sql,
  lists: readonly ListNo[],
  from: Revision,
  to: Revision,
  limit: number,
): Promise<ListCommit[]> {
  const revisions = await sql<RevisionRow[]>`
    select list_no, revision, digest, listings, extract(epoch from committed_at)::float8 * 1000 as committed_at_ms,
      approved, report_within_ms, kept
    from revisions where list_no = any(${[...lists]}::int[]) and revision > ${from} and revision <= ${to}
    order by revision, list_no limit ${limit}`;
  const last = revisions.at(-1)?.revision;
  if (last === undefined) return [];
  const isCut = revisions.length === limit; // the last revision may have more lists: it is read with the next
  const until = isCut && revisions[0]?.revision !== last ? last - 1 : last;
  const rows = await sql<ChangeRow[]>`
    select revision, list_no, prefix::text, extract(epoch from until)::float8 as until, rank,
      extract(epoch from begun_at)::float8 as begun, removed
    from changes where revision > ${from} and revision <= ${until} and list_no = any(${[...lists]}::int[])`;
  const changes = Map.groupBy(rows, (row) => `${row.revision} ${row.list_no}`);
  return revisions
    .filter(({ revision }) => revision <= until)
    .map((row) => ({
      list: row.list_no as ListNo,
      revision: row.revision as Revision,
      digest: BigInt(row.digest) as Digest,
      listings: row.listings,
      committedAtMs: row.committed_at_ms,
      approved: row.approved,
      reportWithinMs: row.report_within_ms,
      kept: row.kept,
      changes: (changes.get(`${row.revision} ${row.list_no}`) ?? []).map(changeFromRow),
    }));
}

interface RevisionRow {
  readonly list_no: number;
  readonly revision: number;
  readonly digest: string;
  readonly listings: number;
  readonly committed_at_ms: number;
  readonly approved: boolean;
  readonly report_within_ms: number;
  readonly kept: boolean;
}

interface ChangeRow {
  readonly revision: number;
  readonly list_no: number;
  readonly prefix: string;
  readonly until: number | null;
  readonly rank: number;
  readonly begun: number | null;
  readonly removed: boolean;
}

function changeFromRow(row: ChangeRow): Change {
  const prefix = prefixFromSql(row.prefix);
  if (row.removed) return { prefix, after: undefined };
  const after = { prefix, until: untilFromSql(row.until), rank: row.rank as Rank, begun: momentFromSql(row.begun) };
  return { prefix, after };
}
