/**
 * The last look at what is to be put on a deny list, whoever wants it (keeps invariant 5): nothing special-purpose, no
 * address of the fleet's own, nothing but documentation on the probe's list; and for feeds and the policy nothing that
 * is allowed or pardoned.
 */
import type { List, ListNo } from "@fleetban/proto/model/listing";
import { isSingle, type Prefix } from "@fleetban/proto/model/prefix";
import { isDocumentation, specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import type { Sql } from "../store/sql.ts";
import type { Cause, ListChange } from "./ledger.ts";
import { LedgerError } from "./ledger-error.ts";
import { prefixFromSql } from "./sql-values.ts";

export interface Guarded {
  readonly changes: readonly ListChange[];
  readonly refused: readonly Prefix[];
}

export async function guard(
  sql: Sql,
  wanted: readonly ListChange[],
  lists: ReadonlyMap<ListNo, List>,
  cause: Cause["kind"],
): Promise<Guarded> {
  const puts = wanted.filter(({ list, to }) => to !== undefined && listOf(lists, list).effect === "deny");
  const why = new Map<Prefix, string>();
  for (const { list, prefix } of puts) {
    const reason = refusalOf(prefix, listOf(lists, list));
    if (reason !== undefined) why.set(prefix, reason);
  }
  // The policy has decided by the same rows, under the same lock.
  const isDecided = cause === "sightings";
  for (const prefix of isDecided ? [] : await selectOwn(sql, puts)) why.set(prefix, "an address of the fleet's own");
  if (cause === "operator") {
    const [first] = why;
    if (first !== undefined) {
      throw new LedgerError("protected-prefix", `prefix ${first[0]}: never listed, it is ${first[1]}`, {
        hint: "a protected range or address can't be banned",
      });
    }
    return { changes: wanted, refused: [] };
  }
  for (const prefix of isDecided ? [] : await selectExempted(sql, puts)) why.set(prefix, "exempt");
  if (why.size === 0) return { changes: wanted, refused: [] };
  const isRefused = ({ prefix, to, list }: ListChange) =>
    to !== undefined && why.has(prefix) && listOf(lists, list).effect === "deny";
  return { changes: wanted.filter((change) => !isRefused(change)), refused: [...why.keys()] };
}

export function listOf(lists: ReadonlyMap<ListNo, List>, wanted: ListNo): List {
  const list = lists.get(wanted);
  if (list === undefined) throw new LedgerError("unknown-list", `list ${wanted}: there is none with that number`);
  return list;
}

function refusalOf(prefix: Prefix, list: List): string | undefined {
  if (list.documentationOnly)
    return isDocumentation(prefix) ? undefined : `not a documentation range, and ${list.name} is for those`;
  const special = specialPurposeOf(prefix);
  return special === undefined ? undefined : `special-purpose (${special.range}, ${special.name})`;
}

async function selectOwn(sql: Sql, puts: readonly ListChange[]): Promise<Prefix[]> {
  const singles = puts.filter(({ prefix }) => isSingle(prefix)).map(({ prefix }) => prefix);
  if (singles.length === 0) return [];
  const rows = await sql<{ prefix: string }[]>`
    select p.prefix::text from unnest(${singles}::cidr[]) as p(prefix) join agent_addresses a on a.address = p.prefix`;
  return rows.map(({ prefix }) => prefixFromSql(prefix));
}

async function selectExempted(sql: Sql, puts: readonly ListChange[]): Promise<Prefix[]> {
  if (puts.length === 0) return [];
  const prefixes = puts.map(({ prefix }) => prefix);
  const rows = await sql<{ prefix: string }[]>`
    select p.prefix::text from unnest(${prefixes}::cidr[]) as p(prefix)
    where exists (select from allowlist e where e.prefix >>= p.prefix and e.ended_at is null
        and (e.until is null or e.until > clock_timestamp()))
      or exists (select from pardons e where e.prefix >>= p.prefix and e.ended_at is null
        and (e.until is null or e.until > clock_timestamp()))`;
  return rows.map(({ prefix }) => prefixFromSql(prefix));
}
