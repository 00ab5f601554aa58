/** What the database knows of addresses that may be reported: who sighted them, and what keeps them off. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { outcomeCode, sourceCode } from "../ledger/sighting-codes.ts";
import { prefixFromSql } from "../ledger/sql-values.ts";
import type { Sql } from "../store/sql.ts";
import type { Candidate } from "./candidate.ts";
import { networkWasReported } from "./networks.ts";
import type { SightedBy } from "./sighted.ts";

/** Addresses that were sighted in that time, in pages by address: `after` is the last one of the page before. */
export async function selectSighted(
  sql: Sql,
  time: { readonly fromMs: number; readonly untilMs: number },
  after: Prefix | undefined,
  limit: number,
): Promise<Prefix[]> {
  const rows = await sql<{ prefix: string }[]>`
    select distinct prefix::text collate "C" as prefix from sightings
    where received_at > to_timestamp(${time.fromMs / 1_000}::float8)
      and received_at <= to_timestamp(${time.untilMs / 1_000}::float8)
      and outcome = ${outcomeCode("counted")} and source <> ${sourceCode("import")}
      and (${after ?? ""} = '' or prefix::text collate "C" > ${after === undefined ? "" : sqlText(after)})
    order by 1 limit ${limit}`;
  return rows.map(({ prefix }) => prefixFromSql(prefix));
}

interface FactsRow {
  prefix: string;
  strikes: number;
  in_feed: boolean;
  own: boolean;
  allowed: boolean;
  pardoned: boolean;
  network_reported: boolean;
  evidence_from: number | null;
}

interface SightedRow {
  prefix: string;
  agent_no: number;
  jail: string;
  is_fail2ban: boolean;
  protocol: string;
  ports: string;
  bans: number;
  failures: number;
  first_at: number;
  last_at: number;
  evidence: Buffer | null;
}

/**
 * Only of what has not been reported yet, and of what nobody has pardoned since: evidence up to the end of a pardon, of the
 * allowlist, of a void or up to the last report says nothing any more. Agents that were revoked are not believed.
 */
export async function selectCandidates(
  sql: Sql,
  addresses: readonly Prefix[],
  { fromMs, againAfterSeconds }: { readonly fromMs: number; readonly againAfterSeconds: number },
): Promise<Candidate[]> {
  if (addresses.length === 0) return [];
  const facts = await sql<FactsRow[]>`
    select a.prefix::text, (
        select count(*)::int from strikes s where s.prefix in (a.prefix, a.network) and s.voided_at is null) as strikes,
      exists (select from feed_prefixes f where f.prefix in (a.prefix, a.network)) as in_feed,
      exists (select from agent_addresses o where o.address = a.prefix) as own,
      exists (select from allowlist e where e.prefix >>= a.prefix and e.ended_at is null
        and (e.until is null or e.until > clock_timestamp())) as allowed,
      exists (select from pardons e where e.prefix >>= a.prefix and e.ended_at is null
        and (e.until is null or e.until > clock_timestamp())) as pardoned,
      ${networkWasReported(sql, sql`a.prefix`, againAfterSeconds)} as network_reported,
      extract(epoch from greatest(
        (select max(least(e.until, e.ended_at)) from allowlist e where e.prefix >>= a.prefix),
        (select max(least(e.until, e.ended_at)) from pardons e where e.prefix >>= a.prefix),
        (select max(o.evidence_from) from offenders o where o.prefix in (a.prefix, a.network)),
        (select max(r.sighted_at) from reports r where r.prefix = a.prefix and r.state <> 'planned')
      ))::float8 as evidence_from
    from (select p as prefix, case family(p) when 6 then set_masklen(p, 64)::cidr else p end as network
      from unnest(${[...addresses]}::cidr[]) as p) as a`;
  const byAddress = new Map(facts.map((row) => [prefixFromSql(row.prefix), row]));
  const sighted = await selectSightedBy(sql, facts, fromMs);
  return [...byAddress].map(([address, row]) => ({
    address,
    sighted: sighted.get(address) ?? [],
    strikes: row.strikes,
    inFeed: row.in_feed,
    keptOff: whyKeptOff(row),
  }));
}

function whyKeptOff({ own, allowed, pardoned, network_reported }: FactsRow): Candidate["keptOff"] {
  if (own) return "own-address";
  if (allowed) return "allowed";
  if (pardoned) return "pardoned";
  return network_reported ? "network-reported" : undefined;
}

async function selectSightedBy(
  sql: Sql,
  facts: readonly FactsRow[],
  fromMs: number,
): Promise<Map<Prefix, SightedBy[]>> {
  const rows = await sql<SightedRow[]>`
    select s.prefix::text, s.agent_no, s.jail, s.protocol, s.ports, count(*)::int as bans, sum(s.failures)::float8 as failures,
      bool_or(s.source <> ${sourceCode("socket")}) as is_fail2ban,
      extract(epoch from min(s.sighted_at))::float8 * 1000 as first_at,
      extract(epoch from max(s.sighted_at))::float8 * 1000 as last_at,
      (array_agg(s.evidence order by s.sighted_at desc) filter (where s.evidence is not null))[1] as evidence
    from unnest(${facts.map((row) => row.prefix)}::cidr[], ${facts.map((row) => row.evidence_from ?? 0)}::float8[])
        as a(prefix, evidence_from)
      join sightings s on s.offender in (a.prefix, case family(a.prefix) when 6 then set_masklen(a.prefix, 64)::cidr
        else a.prefix end) and s.prefix = a.prefix
      join agents g on g.agent_no = s.agent_no and g.state = 'enrolled'
    where s.received_at > to_timestamp(${fromMs / 1_000}::float8)
      and s.sighted_at > to_timestamp(greatest(a.evidence_from, ${fromMs / 1_000}::float8))
      and s.outcome = ${outcomeCode("counted")} and s.source <> ${sourceCode("import")}
    group by 1, 2, 3, 4, 5`;
  const byAddress = new Map<Prefix, SightedBy[]>();
  for (const row of rows) {
    const address = prefixFromSql(row.prefix);
    byAddress.set(address, [...(byAddress.get(address) ?? []), sightedFrom(row)]);
  }
  return byAddress;
}

/** A second jail over others' bans tells of attacks that it did not see: what those were it is asked by this. */
export async function selectOlderJails(sql: Sql, address: Prefix): Promise<SightedBy[]> {
  const rows = await sql<SightedRow[]>`
    select s.prefix::text, s.agent_no, s.jail, s.protocol, s.ports, count(*)::int as bans, sum(s.failures)::float8 as failures,
      bool_or(s.source <> ${sourceCode("socket")}) as is_fail2ban,
      extract(epoch from min(s.sighted_at))::float8 * 1000 as first_at,
      extract(epoch from max(s.sighted_at))::float8 * 1000 as last_at, null::bytea as evidence
    from sightings s join agents g on g.agent_no = s.agent_no and g.state = 'enrolled'
    where s.offender in (${address}::cidr, case family(${address}::cidr) when 6 then set_masklen(${address}::cidr, 64)::cidr
        else ${address}::cidr end)
      and s.prefix = ${address}::cidr and s.outcome = ${outcomeCode("counted")}
    group by 1, 2, 3, 4, 5`;
  return rows.map(sightedFrom);
}

export async function selectAgentNames(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`select distinct name from agents`;
  return rows.map(({ name }) => name);
}

function sightedFrom(row: SightedRow): SightedBy {
  return {
    agentNo: row.agent_no,
    jail: row.jail,
    isFail2ban: row.is_fail2ban,
    protocol: row.protocol,
    ports: row.ports,
    bans: row.bans,
    failures: row.failures,
    firstAtMs: row.first_at,
    lastAtMs: row.last_at,
    evidence: row.evidence?.toString("utf8") ?? "",
  };
}

/** As the database writes a single address. */
function sqlText(address: Prefix): string {
  return `${address}/${address.includes(":") ? 128 : 32}`;
}
