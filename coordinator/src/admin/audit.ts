/**
 * The audit log: who did what, when and why, each record carrying the SHA-256 of the one before.
 *
 * A record is written in the transaction of the act that it tells of. Whoever changes or removes one later breaks the
 * chain at that place; what nobody can see by it is the removal of the newest ones.
 */
import type { Sql } from "../store/sql.ts";

/** An operator, or `policy`. */
export interface Actor {
  readonly name: string;
  readonly role: string;
}

export interface ActRecord {
  /** A verb of the CLI: `ban`, `agents revoke`. */
  readonly act: string;
  readonly subject: string;
  readonly reason?: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface AuditEntry {
  readonly auditNo: number;
  readonly atMs: number;
  readonly actor: string;
  readonly act: string;
  readonly subject: string;
  readonly reason: string;
}

const LOCK = 7741_0002; // one writer of the chain at a time, over all replicas

export async function recordAct(sql: Sql, actor: Actor, record: ActRecord): Promise<number> {
  await sql`select pg_advisory_xact_lock(${LOCK})`;
  const [row] = await sql<{ audit_no: number }[]>`
    insert into audit_log (actor, role, act, subject, reason, before, after, previous_sha256)
    values (${actor.name}, ${actor.role}, ${record.act}, ${record.subject}, ${record.reason ?? null},
      ${jsonOf(sql, record.before)}, ${jsonOf(sql, record.after)},
      (select ${hashOf(sql)} from audit_log order by audit_no desc limit 1))
    returning audit_no`;
  if (row === undefined) throw new Error("internal error: an insert gave no row");
  return row.audit_no;
}

export async function auditEntries(sql: Sql, limit: number): Promise<AuditEntry[]> {
  const rows = await sql<
    { audit_no: number; at: Date; actor: string; act: string; subject: string; reason: string | null }[]
  >`select audit_no, at, actor, act, subject, reason from audit_log order by audit_no desc limit ${limit}`;
  return rows.map(({ audit_no, at, reason, ...row }) => ({
    ...row,
    auditNo: audit_no,
    atMs: at.getTime(),
    reason: reason ?? "",
  }));
}

/** The first record that is not what the next one says it was; undefined = the chain is whole. */
export async function brokenAuditRecord(sql: Sql): Promise<number | undefined> {
  const [row] = await sql<{ audit_no: number }[]>`
    select audit_no from (
      select audit_no, ${hashOf(sql)} as sha256, lead(previous_sha256) over (order by audit_no) as told,
        lead(audit_no) over (order by audit_no) as next_no, lag(audit_no) over (order by audit_no) as previous_no,
        previous_sha256
      from audit_log) chained
    where (next_no is not null and told is distinct from sha256) or (previous_no is null and previous_sha256 is not null)
    order by audit_no limit 1`;
  return row?.audit_no;
}

/** Of everything in the record but its own place in the file; the order of keys in jsonb is Postgres' own and fixed. */
function hashOf(sql: Sql) {
  return sql`sha256(convert_to(jsonb_build_array(audit_no, extract(epoch from at), actor, role, act, subject, reason,
    before, after, encode(previous_sha256, 'hex'))::text, 'UTF8'))`;
}

function jsonOf(sql: Sql, value: unknown) {
  return value === undefined ? null : sql.json(value as never);
}
