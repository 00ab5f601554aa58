/** SQL of tokens and of their use. */
import type { Epoch, Revision } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { bytesToSql, prefixFromSql } from "../ledger/sql-values.ts";
import type { Sql } from "../store/sql.ts";
import type { PublishToken } from "./token.ts";

export interface NewToken {
  readonly hash: Buffer;
  readonly name: string;
  readonly lists: readonly string[];
  readonly maxRank: number;
  readonly isForOwnUse: boolean;
  readonly ranges: readonly Prefix[];
  /** 0 = for ever. */
  readonly validSeconds: number;
  readonly author: string;
  readonly reason: string;
}

interface RawToken {
  token_no: number;
  token_hash: Buffer;
  name: string;
  lists: string[];
  max_rank: number;
  for_own_use: boolean;
  ranges: string[];
  ends_at: Date | null;
  created_at: Date;
  created_by: string;
  reason: string;
  revoked_at: Date | null;
}

/** Undefined = one of that name is in use. */
export async function insertPublishToken(sql: Sql, token: NewToken): Promise<PublishToken | undefined> {
  const [row] = await sql<RawToken[]>`
    insert into publish_tokens (token_hash, name, lists, max_rank, for_own_use, ranges, ends_at, created_by, reason)
    values (${token.hash}, ${token.name}, ${[...token.lists]}::text[], ${token.maxRank}, ${token.isForOwnUse},
      ${[...token.ranges]}::cidr[],
      case when ${token.validSeconds}::float8 = 0 then null
        else clock_timestamp() + make_interval(secs => ${token.validSeconds}::float8) end,
      ${token.author}, ${token.reason})
    on conflict (name) where revoked_at is null do nothing
    returning token_no, token_hash, name, lists, max_rank, for_own_use, ranges, ends_at, created_at, created_by, reason,
      revoked_at`;
  return row === undefined ? undefined : tokenFromRow(row);
}

/** By number or, of those in use, by name; undefined = there is none. */
export async function revokePublishToken(sql: Sql, token: string): Promise<PublishToken | undefined> {
  const number = /^\d{1,9}$/.test(token) ? Number(token) : 0;
  const [row] = await sql<RawToken[]>`
    update publish_tokens set revoked_at = coalesce(revoked_at, clock_timestamp())
    where token_no = ${number} or (name = ${token} and revoked_at is null)
    returning token_no, token_hash, name, lists, max_rank, for_own_use, ranges, ends_at, created_at, created_by, reason,
      revoked_at`;
  return row === undefined ? undefined : tokenFromRow(row);
}

/** Those that open something, by hash in hexadecimal. */
export async function selectOpenTokens(sql: Sql): Promise<Map<string, PublishToken>> {
  const rows = await sql<RawToken[]>`
    select token_no, token_hash, name, lists, max_rank, for_own_use, ranges, ends_at, created_at, created_by, reason,
      revoked_at
    from publish_tokens where revoked_at is null and (ends_at is null or ends_at > clock_timestamp())`;
  return new Map(rows.map((row) => [row.token_hash.toString("hex"), tokenFromRow(row)]));
}

export interface TokenUse {
  readonly tokenNo: number;
  readonly address: string;
  readonly usedAtMs: number;
  readonly program: string;
  readonly requests: number;
}

export async function selectTokens(sql: Sql): Promise<{ tokens: PublishToken[]; uses: TokenUse[] }> {
  const rows = await sql<RawToken[]>`
    select token_no, token_hash, name, lists, max_rank, for_own_use, ranges, ends_at, created_at, created_by, reason,
      revoked_at
    from publish_tokens order by token_no desc limit 200`;
  const uses = await sql<{ token_no: number; address: string; used_at: Date; program: string; requests: number }[]>`
    select distinct on (token_no) token_no, host(address) as address, used_at, program,
      (sum(requests) over (partition by token_no))::bigint as requests
    from publish_uses order by token_no, used_at desc`;
  return {
    tokens: rows.map(tokenFromRow),
    uses: uses.map(({ token_no, used_at, ...use }) => ({ ...use, tokenNo: token_no, usedAtMs: used_at.getTime() })),
  };
}

/** Where a bouncer stands in the ledger's history. */
export interface Pulled {
  readonly epoch: Epoch;
  readonly revision: Revision;
  readonly atMs: number;
}

export interface Use extends Omit<TokenUse, "requests"> {
  /** Since the last time that it was written. */
  readonly requests: number;
  readonly pulled: Pulled | undefined;
}

export async function selectPulled(sql: Sql, tokenNo: number, address: string): Promise<Pulled | undefined> {
  const [row] = await sql<{ epoch: Buffer | null; revision: number; at: Date }[]>`
    select pulled_epoch as epoch, pulled_revision as revision, pulled_at as at
    from publish_uses where token_no = ${tokenNo} and address = ${address}::inet`;
  if (row?.epoch == null) return undefined;
  return { epoch: row.epoch.toString("hex") as Epoch, revision: row.revision as Revision, atMs: row.at.getTime() };
}

/** A use without a pull leaves the last pull as it is. */
export async function writeUses(sql: Sql, uses: readonly Use[]): Promise<void> {
  for (const { tokenNo, address, usedAtMs, program, requests, pulled } of uses) {
    await sql`
      insert into publish_uses as known
        (token_no, address, used_at, program, requests, pulled_epoch, pulled_revision, pulled_at)
      values (${tokenNo}, ${address}::inet, to_timestamp(${usedAtMs / 1_000}::float8), ${program}, ${requests},
        ${pulled === undefined ? null : bytesToSql(Buffer.from(pulled.epoch, "hex"))}::bytea,
        ${pulled?.revision ?? null}, to_timestamp(${pulled === undefined ? null : pulled.atMs / 1_000}::float8))
      on conflict (token_no, address) do update set
        used_at = excluded.used_at, program = excluded.program, requests = known.requests + excluded.requests,
        pulled_epoch = coalesce(excluded.pulled_epoch, known.pulled_epoch),
        pulled_revision = coalesce(excluded.pulled_revision, known.pulled_revision),
        pulled_at = coalesce(excluded.pulled_at, known.pulled_at)`;
  }
}

export async function deleteOldUses(sql: Sql, keptDays: number): Promise<void> {
  await sql`delete from publish_uses where used_at < clock_timestamp() - make_interval(days => ${keptDays})`;
}

function tokenFromRow(row: RawToken): PublishToken {
  return {
    tokenNo: row.token_no,
    name: row.name,
    lists: row.lists,
    maxRank: row.max_rank,
    isForOwnUse: row.for_own_use,
    ranges: row.ranges.map(prefixFromSql),
    endsAtMs: row.ends_at?.getTime() ?? 0,
    createdAtMs: row.created_at.getTime(),
    author: row.created_by,
    reason: row.reason,
    isRevoked: row.revoked_at !== null,
  };
}
