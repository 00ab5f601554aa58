/** SQL of never-ban packs: which are in force, and their rows of the allowlist. */
import { type ListNo, listNo } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import type { Pack } from "./pack.ts";

export interface PackInForce {
  readonly name: string;
  readonly date: string;
  readonly sha256: string;
  readonly prefixes: number;
  readonly appliedAtMs: UnixMs;
}

export async function packsInForce(sql: Sql): Promise<PackInForce[]> {
  const rows = await sql<{ name: string; date: string; sha256: string; prefixes: number; applied_at: Date }[]>`
    select name, to_char(dated, 'YYYY-MM-DD') as date, encode(sha256, 'hex') as sha256, prefixes, applied_at
    from packs order by name`;
  return rows.map(({ applied_at, ...row }) => ({ ...row, appliedAtMs: unixMs(applied_at.getTime()) }));
}

/** Prefixes of the allowlist that are there for the pack. */
export async function packPrefixes(sql: Sql, pack: string): Promise<Set<Prefix>> {
  const rows = await sql<{ prefix: string }[]>`
    select prefix::text from allowlist where pack = ${pack} and ended_at is null`;
  return new Set(rows.map(({ prefix }) => parsePrefix(prefix)));
}

export async function insertPackPrefixes(sql: Sql, pack: Pack, prefixes: readonly Prefix[]): Promise<void> {
  await sql`
    insert into allowlist (prefix, reason, author, pack)
    select prefix, ${`${pack.title}, ${pack.date}`}, 'policy', ${pack.name}
    from unnest(${[...prefixes]}::cidr[]) as t(prefix)
    where not exists (select from allowlist a where a.pack = ${pack.name} and a.prefix = t.prefix and a.ended_at is null)`;
}

/** The ledger decides by whole seconds: what ends in this second has ended for the decision in the same commit. */
export async function endPackPrefixes(sql: Sql, pack: string, prefixes: readonly Prefix[]): Promise<void> {
  await sql`
    update allowlist set ended_at = date_trunc('second', clock_timestamp())
    where pack = ${pack} and ended_at is null and prefix = any(${[...prefixes]}::cidr[])`;
}

export async function savePack(sql: Sql, pack: Pack): Promise<void> {
  await sql`
    insert into packs (name, title, source, dated, terms, note, sha256, prefixes)
    values (${pack.name}, ${pack.title}, ${pack.source}, ${pack.date}::date, ${pack.terms}, ${pack.note},
      decode(${pack.sha256}, 'hex'), ${pack.prefixes.length})
    on conflict (name) do update set title = excluded.title, source = excluded.source, dated = excluded.dated,
      terms = excluded.terms, note = excluded.note, sha256 = excluded.sha256, prefixes = excluded.prefixes,
      applied_at = clock_timestamp()`;
}

export async function deletePack(sql: Sql, pack: string): Promise<void> {
  await sql`delete from packs where name = ${pack}`;
}

/** On deny lists, equal to one of the prefixes or within it; a range a list and prefix, by the key. */
export async function deniedInside(
  sql: Sql,
  prefixes: readonly Prefix[],
  limit: number,
): Promise<{ list: ListNo; prefix: Prefix }[]> {
  const rows = await sql<{ list_no: number; prefix: string }[]>`
    select distinct l.list_no, g.prefix::text
    from unnest(${[...prefixes]}::cidr[]) as p(prefix) join lists l on l.effect = 'deny'
      -- a look-up each, whatever the planner thinks of how many are within
      cross join lateral (
        select prefix from listings
        where list_no = l.list_no and prefix >= p.prefix and prefix <<= p.prefix
          and prefix <= set_masklen(broadcast(p.prefix), case family(p.prefix) when 4 then 32 else 128 end)::cidr
        order by prefix limit ${limit}) g
    limit ${limit}`;
  return rows.map((row) => ({ list: listNo(row.list_no), prefix: parsePrefix(row.prefix) }));
}

/** Operators' bans in force that an allowed prefix makes void; they are ended, as `allow` ends them. */
export async function endBansInside(sql: Sql, prefixes: readonly Prefix[]): Promise<Prefix[]> {
  const rows = await sql<{ prefix: string }[]>`
    update bans set ended_at = date_trunc('second', clock_timestamp())
    where ended_at is null and (until is null or until > clock_timestamp())
      and exists (select from unnest(${[...prefixes]}::cidr[]) as p(prefix) where bans.prefix <<= p.prefix)
    returning prefix::text`;
  return rows.map(({ prefix }) => parsePrefix(prefix));
}
