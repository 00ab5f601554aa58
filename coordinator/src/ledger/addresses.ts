/**
 * The fleet's own addresses: where agents are seen and what they claim to be (PROTOCOL §2, rule 8 of DESIGN §1).
 *
 * What was observed protects at once, for nobody can be at an address that isn't his own; but a compromised agent can
 * have its certificate used from anywhere, so beyond eight addresses in a week what is observed is a claim as well. A
 * claim is only a claim: one public address each, sixteen at most, and one on an address that is listed, lies inside a
 * wider listing or is widely sighted is held for an operator, or attackers could be shielded from a whole fleet.
 */
import type { ListNo } from "@fleetban/proto/model/listing";
import { isSingle, type Prefix } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import type { Policy } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";
import { around } from "./holes.ts";
import type { AddressOrigin, AgentAddress, ListChange, ProtectedAddress } from "./ledger.ts";
import { prefixFromSql } from "./sql-values.ts";
import { networkOf } from "./triage.ts";

const CLAIMS_MAX = 16;
/** A server with both families connects now by the one, now by the other. */
const OBSERVED_KEPT = "7 days";
/** Within that time; a server with a dynamic address has a new one each day. */
const OBSERVED_MAX = 8;
const COORDINATORS = 0;
const OPEN_HOLDS_MAX = 16;

export interface AddressPlan {
  readonly changes: readonly ListChange[];
  readonly touched: readonly Prefix[];
  readonly held: readonly Prefix[];
}

/** Public and single, each once; of the claims the first sixteen. */
export function acceptable(addresses: readonly AgentAddress[]): AgentAddress[] {
  const usable = addresses.filter(({ address }) => isSingle(address) && specialPurposeOf(address) === undefined);
  const byAddress = new Map<Prefix, AgentAddress>();
  for (const one of usable) if (!outranks(byAddress.get(one.address), one)) byAddress.set(one.address, one);
  let claims = 0;
  return [...byAddress.values()].filter(({ origin }) => {
    claims += origin === "claimed" ? 1 : 0;
    return origin !== "claimed" || claims <= CLAIMS_MAX;
  });
}

const TRUST: Readonly<Record<AddressOrigin, number>> = { claimed: 0, observed: 1, approved: 2 };

function outranks(known: AgentAddress | undefined, one: AgentAddress): boolean {
  return known !== undefined && TRUST[known.origin] >= TRUST[one.origin];
}

/** Inside a commit. Rows that an operator approved stay, whatever the agent says; of a revoked one nothing stays. */
export async function planAddresses(
  sql: Sql,
  agentNo: number,
  asked: readonly AgentAddress[],
  policy: Policy,
  denyLists: readonly ListNo[],
): Promise<AddressPlan> {
  const present = await selectOf(sql, agentNo);
  const wanted = agentNo === COORDINATORS ? asked : withTrusted(asked, present);
  const isNew = ({ address }: AgentAddress) => !present.some((one) => one.address === address);
  const claims = wanted.filter((one) => one.origin === "claimed" && isNew(one)).map(({ address }) => address);
  const held = await selectDoubtful(sql, claims, policy);
  if (held.length > 0) await holdClaims(sql, agentNo, held);
  const accepted = wanted.filter(({ address, origin }) => origin !== "claimed" || !held.includes(address));
  const gone = await replaceAddresses(sql, agentNo, accepted);
  const fresh = accepted.filter(isNew).map(({ address }) => address);
  // What is listed itself comes off; a wider listing gets a hole.
  const changes = fresh.flatMap((prefix) => denyLists.map((list) => ({ list, prefix, to: undefined })));
  return { changes, touched: [...fresh, ...gone], held };
}

interface KnownAddress extends AgentAddress {
  readonly isRecent: boolean;
}

/** What is observed beyond the eighth address of a week is a claim. */
function withTrusted(asked: readonly AgentAddress[], present: readonly KnownAddress[]): AgentAddress[] {
  const observed = present.filter(({ origin }) => origin === "observed");
  let trusted = observed.filter(({ isRecent }) => isRecent).length;
  return asked.map((one) => {
    if (one.origin !== "observed" || observed.some(({ address }) => address === one.address)) return one;
    trusted += 1;
    return trusted <= OBSERVED_MAX ? one : { ...one, origin: "claimed" };
  });
}

export async function selectProtected(sql: Sql): Promise<ProtectedAddress[]> {
  const rows = await sql<{ agent_no: number; address: string; origin: AddressOrigin }[]>`
    select agent_no, address::cidr::text as address, origin from agent_addresses order by agent_no, address`;
  return rows.map((row) => ({ agentNo: row.agent_no, address: prefixFromSql(row.address), origin: row.origin }));
}

async function selectOf(sql: Sql, agentNo: number): Promise<KnownAddress[]> {
  const rows = await sql<{ address: string; origin: AddressOrigin; is_recent: boolean }[]>`
    select address::cidr::text as address, origin,
      seen_at > clock_timestamp() - ${OBSERVED_KEPT}::interval as is_recent
    from agent_addresses where agent_no = ${agentNo}`;
  return rows.map((row) => ({ address: prefixFromSql(row.address), origin: row.origin, isRecent: row.is_recent }));
}

async function selectDoubtful(sql: Sql, claims: readonly Prefix[], policy: Policy): Promise<Prefix[]> {
  if (claims.length === 0) return [];
  const covering = claims.flatMap((address) => [address, ...around(address)].map((prefix) => ({ address, prefix })));
  const rows = await sql<{ address: string }[]>`
    select c.address::text
    from unnest(${covering.map(({ address }) => address)}::cidr[], ${covering.map(({ prefix }) => prefix)}::cidr[])
      as c(address, prefix)
    where exists (select from listings l join lists using (list_no) where effect = 'deny' and l.prefix = c.prefix)
    union
    select c.address::text
    from unnest(${[...claims]}::cidr[], ${claims.map(networkOf)}::cidr[]) as c(address, network)
    join offenders o on o.prefix in (c.address, c.network) and o.agents >= ${policy.widelySightedAgents}`;
  return rows.map(({ address }) => prefixFromSql(address));
}

async function holdClaims(sql: Sql, agentNo: number, held: readonly Prefix[]): Promise<void> {
  await sql`
    insert into holds (subject, subject_no, prefix, reason)
    select 'claim', ${agentNo}, address, 'the address is listed or widely sighted'
    from unnest(${[...held]}::cidr[]) as address
    where not exists (select from holds
      where subject = 'claim' and subject_no = ${agentNo} and prefix = address and resolved_at is null)
    limit greatest(0, ${OPEN_HOLDS_MAX} - (select count(*) from holds
      where subject = 'claim' and subject_no = ${agentNo} and resolved_at is null))
    on conflict do nothing`;
}

/** Gives the addresses that are no longer this agent's. */
async function replaceAddresses(sql: Sql, agentNo: number, accepted: readonly AgentAddress[]): Promise<Prefix[]> {
  const addresses = accepted.map(({ address }) => address);
  const gone = await sql<{ address: string }[]>`
    delete from agent_addresses
    where agent_no = ${agentNo} and not address = any(${addresses}::inet[])
      and (exists (select from agents where agent_no = ${agentNo} and state = 'revoked') or origin = 'claimed' or origin = 'observed' and seen_at < clock_timestamp() - ${OBSERVED_KEPT}::interval)
    returning address::cidr::text as address`;
  await sql`
    insert into agent_addresses as a (agent_no, address, origin)
    select ${agentNo}, address, origin
    from unnest(${addresses}::inet[], ${accepted.map(({ origin }) => origin)}::text[]) as t(address, origin)
    on conflict (agent_no, address) do update set seen_at = clock_timestamp(),
      -- What was observed stays so when it is claimed: it counts among the eight.
      origin = case when a.origin = 'claimed' or excluded.origin = 'approved' then excluded.origin else a.origin end`;
  return gone.map(({ address }) => prefixFromSql(address));
}
