/** Statements about one-time tokens, new agents and certificates. */
import type { Sql } from "../store/sql.ts";
import type { ClientCertificate } from "./certificates.ts";
import type { Token } from "./token.ts";

interface RawToken {
  enrollment_no: number;
  agent_group: string;
  uses: number;
  uses_left: number;
  created_at: Date;
  ends_at: Date;
  is_expired: boolean;
  is_revoked: boolean;
  created_by: string;
  reason: string;
}

export interface NewToken {
  readonly hash: Buffer;
  readonly group: string;
  readonly uses: number;
  readonly validSeconds: number;
  readonly author: string;
  readonly reason: string;
}

export async function insertToken(sql: Sql, token: NewToken): Promise<Token> {
  const [row] = await sql<RawToken[]>`
    insert into enrollment_tokens (token_hash, agent_group, uses, uses_left, ends_at, created_by, reason)
    values (${token.hash}, ${token.group}, ${token.uses}, ${token.uses},
      clock_timestamp() + make_interval(secs => ${token.validSeconds}), ${token.author}, ${token.reason})
    returning enrollment_no, agent_group, uses, uses_left, created_at, ends_at, created_by, reason,
      false as is_expired, false as is_revoked`;
  return tokenFromRow(only(row));
}

/** Locks the row: of two redemptions of the last use one waits and then finds none left. */
export async function lockToken(sql: Sql, hash: Buffer): Promise<Token | undefined> {
  const [row] = await sql<RawToken[]>`
    select enrollment_no, agent_group, uses, uses_left, created_at, ends_at, created_by, reason,
      ends_at <= clock_timestamp() as is_expired, revoked_at is not null as is_revoked
    from enrollment_tokens where token_hash = ${hash} for update`;
  return row === undefined ? undefined : tokenFromRow(row);
}

export async function spendToken(sql: Sql, hash: Buffer): Promise<void> {
  await sql`update enrollment_tokens set uses_left = uses_left - 1 where token_hash = ${hash}`;
}

export async function tokenRows(sql: Sql): Promise<Token[]> {
  const rows = await sql<RawToken[]>`
    select enrollment_no, agent_group, uses, uses_left, created_at, ends_at, created_by, reason,
      ends_at <= clock_timestamp() as is_expired, revoked_at is not null as is_revoked
    from enrollment_tokens order by enrollment_no desc limit 200`;
  return rows.map(tokenFromRow);
}

/** Undefined = there is no such token. */
export async function revokeTokenRow(sql: Sql, enrollmentNo: number): Promise<Token | undefined> {
  const [row] = await sql<RawToken[]>`
    update enrollment_tokens set revoked_at = coalesce(revoked_at, clock_timestamp())
    where enrollment_no = ${enrollmentNo}
    returning enrollment_no, agent_group, uses, uses_left, created_at, ends_at, created_by, reason,
      ends_at <= clock_timestamp() as is_expired, true as is_revoked`;
  return row === undefined ? undefined : tokenFromRow(row);
}

export async function groupNames(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`select name from agent_groups order by name`;
  return rows.map((row) => row.name);
}

export async function insertAgent(sql: Sql, agentId: string, name: string, group: string): Promise<number> {
  const [row] = await sql<{ agent_no: number }[]>`
    insert into agents (agent_id, name, agent_group) values (${agentId}, ${name}, ${group}) returning agent_no`;
  return only(row).agent_no;
}

export async function insertAgentCertificate(sql: Sql, agentNo: number, certificate: ClientCertificate): Promise<void> {
  await sql`
    insert into agent_certificates (serial, agent_no, key_fingerprint, issued_at, ends_at)
    values (${certificate.serial}, ${agentNo}, decode(${certificate.keyFingerprint}, 'hex'),
      to_timestamp(${certificate.issuedAtMs / 1_000}::float8), to_timestamp(${certificate.endsAtMs / 1_000}::float8))`;
}

/** Of two renewals at once of one agent, the second counts the first's. */
export async function lockAgent(sql: Sql, agentNo: number): Promise<void> {
  await sql`select from agents where agent_no = ${agentNo} for update`;
}

export async function countCertificatesOfDay(sql: Sql, agentNo: number, nowMs: number): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from agent_certificates
    where agent_no = ${agentNo} and issued_at > to_timestamp(${nowMs / 1_000}::float8) - interval '1 day'`;
  return row?.count ?? 0;
}

function tokenFromRow(row: RawToken): Token {
  return {
    enrollmentNo: row.enrollment_no,
    group: row.agent_group,
    uses: row.uses,
    usesLeft: row.uses_left,
    createdAtMs: row.created_at.getTime(),
    endsAtMs: row.ends_at.getTime(),
    isExpired: row.is_expired,
    isRevoked: row.is_revoked,
    author: row.created_by,
    reason: row.reason,
  };
}

function only<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new Error("internal error: an insert gave no row");
  return row;
}
