/** What is listed inside a network by strikes, and what in it keeps it from being listed as a whole. */
import type { ListNo } from "@fleetban/proto/model/listing";
import { familyOf, type Prefix } from "@fleetban/proto/model/prefix";
import type { Evidence, InsideStrike } from "../policy/evidence.ts";
import type { Sql } from "../store/sql.ts";
import { prefixFromSql, untilFromSql } from "./sql-values.ts";
import { type Subject, subjectKey } from "./subject.ts";

/** Of one network: a policy asks for 256 at most, and a commit must not read more than it can hold. */
const STRIKES_MAX = 1_024;

export interface Inside {
  readonly inside: readonly InsideStrike[];
  readonly shelters: Prefix | undefined;
}

/** By `subjectKey`; for a network in which there is neither nothing. What a pardon has ended does not count. */
export async function selectInside(sql: Sql, networks: readonly Subject[]): Promise<Map<string, Inside>> {
  if (networks.length === 0) return new Map();
  const rows = await sql<InsideRow[]>`
    select n.network::text, n.list_no, s.prefix::text, s.until, s.agents
    from unnest(${networks.map(({ prefix }) => prefix)}::cidr[], ${networks.map(({ list }) => list)}::int[],
        ${networks.map(({ prefix }) => (familyOf(prefix) === 4 ? 32 : 128))}::int[]) as n(network, list_no, bits),
      lateral (
        select prefix, extract(epoch from until)::float8 as until, agents from strikes
        where list_no = n.list_no and prefix > n.network and prefix <= set_masklen(broadcast(n.network), n.bits)::cidr
          and voided_at is null and until > clock_timestamp()
          and not exists (select from pardons e
            where e.prefix >>= strikes.prefix and coalesce(least(e.until, e.ended_at), 'infinity') >= struck_at)
          and not exists (select from allowlist e
            where e.prefix >>= strikes.prefix and coalesce(least(e.until, e.ended_at), 'infinity') >= struck_at)
        order by until desc limit ${STRIKES_MAX}
      ) as s
    union all
    select n.network::text, null, h.prefix::text, null, null
    from unnest(${networks.map(({ prefix }) => prefix)}::cidr[],
        ${networks.map(({ prefix }) => (familyOf(prefix) === 4 ? 32 : 128))}::int[]) as n(network, bits),
      lateral (
        select address::cidr as prefix from agent_addresses where address <<= n.network
        union all
        select prefix from listings where list_no = 1 and prefix >= n.network
          and prefix <= set_masklen(broadcast(n.network), n.bits)::cidr and (until is null or until > clock_timestamp())
        limit 1
      ) as h`;
  const known = new Map<string, { inside: InsideStrike[]; shelters: Prefix | undefined }>();
  for (const { prefix: network, list } of networks) {
    const inside: InsideStrike[] = [];
    let shelters: Prefix | undefined;
    for (const row of rows) {
      if (prefixFromSql(row.network) !== network) continue;
      const prefix = prefixFromSql(row.prefix);
      if (row.list_no === null) shelters = prefix;
      else if (row.list_no === list) inside.push({ prefix, until: untilFromSql(row.until), agents: row.agents ?? [] });
    }
    known.set(subjectKey({ prefix: network, list }), { inside, shelters });
  }
  return known;
}

interface InsideRow {
  readonly network: string;
  /** null = not a strike: it is sheltered. */
  readonly list_no: ListNo | null;
  readonly prefix: string;
  readonly until: number | null;
  readonly agents: readonly number[] | null;
}

/** The evidence with what is inside its networks. */
export function withInside(
  evidence: ReadonlyMap<string, Evidence>,
  insideByKey: ReadonlyMap<string, Inside>,
): Map<string, Evidence> {
  return new Map([...evidence].map(([key, known]) => [key, { ...known, ...insideByKey.get(key) }]));
}
