/**
 * Holes: an address of the fleet's own inside a wider listing is an entry on `exempt`, for as long as the widest of
 * them lasts. Listings are never carved (PROTOCOL, rule 2). What is allowed or pardoned has its own entry there anyway.
 */
import { HOLE, LIST_EXEMPT, type List, type ListNo } from "@fleetban/proto/model/listing";
import { covers, isSingle, lengthOf, type Prefix, widen } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { laterUntil } from "@fleetban/proto/model/until";
import type { Sql } from "../store/sql.ts";
import { type PresentListing, selectListings } from "./change-queries.ts";
import type { ListChange, Reason } from "./ledger.ts";
import { prefixFromSql } from "./sql-values.ts";

/** The changes on `exempt` that follow from these changes, and from addresses that became or ceased to be the fleet's. */
export async function planHoles(
  sql: Sql,
  changes: readonly ListChange[],
  lists: ReadonlyMap<ListNo, List>,
  touched: readonly Prefix[],
): Promise<ListChange[]> {
  const isDeny = (list: ListNo) => lists.get(list)?.effect === "deny";
  const wide = changes.filter(({ list, prefix }) => isDeny(list) && !isSingle(prefix)).map(({ prefix }) => prefix);
  const exempted = changes
    .filter(({ list, prefix }) => list === LIST_EXEMPT && isSingle(prefix))
    .map(({ prefix }) => prefix);
  const own =
    wide.length + exempted.length + touched.length === 0
      ? []
      : await selectOwn(sql, [...wide, ...exempted, ...touched]);
  const addresses = [...new Set([...own, ...touched])];
  if (addresses.length === 0) return [];
  const denyLists = [...lists.keys()].filter(isDeny);
  const keys = addresses.flatMap((address) =>
    around(address).flatMap((prefix) => denyLists.map((list) => ({ list, prefix }))),
  );
  const present = await selectListings(sql, [...keys, ...addresses.map((prefix) => ({ list: LIST_EXEMPT, prefix }))]);
  return addresses.map((address) => holeOf(address, own.includes(address), changes, present, isDeny));
}

function holeOf(
  address: Prefix,
  isOwn: boolean,
  changes: readonly ListChange[],
  present: readonly PresentListing[],
  isDeny: (list: ListNo) => boolean,
): ListChange {
  const key = (one: { list: ListNo; prefix: Prefix }) => `${one.list} ${one.prefix}`;
  const after = new Map<string, { list: ListNo; prefix: Prefix; to: ListChange["to"] }>();
  for (const one of present) after.set(key(one), { ...one, to: one });
  for (const change of changes) after.set(key(change), change);
  const untils: UnixSeconds[] = [];
  for (const { list, prefix, to } of after.values()) {
    const isAround = isDeny(list) && !isSingle(prefix) && covers(prefix, address);
    if (isAround && to !== undefined) untils.push(to.until);
  }
  const entry = after.get(key({ list: LIST_EXEMPT, prefix: address }))?.to;
  const others = entry?.reasons.filter(({ kind }) => kind !== "hole") ?? [];
  return { list: LIST_EXEMPT, prefix: address, to: entryWith(entry, others, isOwn ? untils : []) };
}

/** What is allowed or pardoned besides keeps its rank. */
function entryWith(
  entry: ListChange["to"],
  others: readonly Reason[],
  untils: readonly UnixSeconds[],
): ListChange["to"] {
  const own = others.length > 0 && entry !== undefined ? entry : undefined;
  if (untils.length === 0) return own;
  const hole: Reason = { kind: "hole", key: "" };
  const until = untils.reduce(laterUntil);
  if (own === undefined) return { until, rank: HOLE, reasons: [hole] };
  return { ...own, until: laterUntil(own.until, until), reasons: [...others, hole] };
}

/** Every wider prefix. */
export function around(address: Prefix): Prefix[] {
  return Array.from({ length: lengthOf(address) }, (_, length) => widen(address, length));
}

async function selectOwn(sql: Sql, prefixes: readonly Prefix[]): Promise<Prefix[]> {
  const rows = await sql<{ address: string }[]>`
    select distinct a.address::cidr::text as address
    from unnest(${[...new Set(prefixes)]}::cidr[]) as p(prefix) join agent_addresses a on a.address <<= p.prefix`;
  return rows.map(({ address }) => prefixFromSql(address));
}
