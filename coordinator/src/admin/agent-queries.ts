/** Agents with their newest certificate and addresses, and what was stored of their reports. */
import { digestFromBytes } from "@fleetban/proto/model/digest";
import { type Epoch, type ListNo, listNo, revision } from "@fleetban/proto/model/listing";
import type { LastHello } from "../fleet/last-hello.ts";
import type { AppliedList } from "../fleet/reported.ts";
import type { Sql } from "../store/sql.ts";

export interface AgentRow {
  readonly agentNo: number;
  readonly agentId: string;
  readonly name: string;
  readonly group: string;
  readonly isRevoked: boolean;
  readonly enrolledAtMs: number;
  readonly certificateEndsAtMs: number;
  readonly addresses: string[];
  readonly lastHello: LastHello | undefined;
}

interface RawAgent {
  agent_no: number;
  agent_id: string;
  name: string;
  agent_group: string;
  is_revoked: boolean;
  enrolled_at: Date;
  certificate_ends_at: Date | null;
  addresses: string[] | null;
  last_hello: LastHello | null;
}

export interface StoredList {
  readonly list: ListNo;
  readonly applied: AppliedList;
  readonly replica: string;
  readonly writtenAtMs: number;
}

/** By name or id; empty = all. Agents in force first, by name. */
export async function agentRows(sql: Sql, named: string): Promise<AgentRow[]> {
  const rows = await sql<RawAgent[]>`
    select agent_no, agent_id, name, agent_group, revoked_at is not null as is_revoked, enrolled_at, last_hello,
      (select max(ends_at) from agent_certificates c where c.agent_no = a.agent_no) as certificate_ends_at,
      (select array_agg(host(address) order by address) from agent_addresses d where d.agent_no = a.agent_no) as addresses
    from agents a
    where ${named} = '' or name = ${named} or agent_id::text = ${named.toLowerCase()}
    order by revoked_at is not null, name, agent_no`;
  return rows.map((row) => ({
    agentNo: row.agent_no,
    agentId: row.agent_id,
    name: row.name,
    group: row.agent_group,
    isRevoked: row.is_revoked,
    enrolledAtMs: row.enrolled_at.getTime(),
    certificateEndsAtMs: row.certificate_ends_at?.getTime() ?? 0,
    addresses: row.addresses ?? [],
    lastHello: row.last_hello ?? undefined,
  }));
}

export async function storedLists(sql: Sql): Promise<Map<number, StoredList[]>> {
  const rows = await sql<
    {
      agent_no: number;
      list_no: number;
      revision: number;
      kernel_digest: Buffer | null;
      kernel_entries: number;
      left_out: number;
      kept: number;
      line: AppliedList["line"] | null;
      checked_at: Date | null;
      replica: string | null;
      written_at: Date;
      epoch: Buffer;
    }[]
  >`
    select agent_no, list_no, a.revision, kernel_digest, kernel_entries, left_out, kept, line, checked_at, replica,
      written_at, ledger.epoch
    from agent_lists a cross join ledger`;
  const byAgent = new Map<number, StoredList[]>();
  for (const row of rows) {
    const applied: AppliedList = {
      epoch: row.epoch.toString("hex") as Epoch,
      revision: revision(row.revision),
      kernelDigest: row.kernel_digest === null ? undefined : digestFromBytes(row.kernel_digest),
      mirrorDigest: undefined,
      kernelEntries: row.kernel_entries,
      leftOut: row.left_out,
      kept: row.kept,
      refused: 0,
      line: row.line ?? undefined,
      checkedAtMs: row.checked_at?.getTime() ?? 0,
      isUnsupported: false,
    };
    const stored = {
      list: listNo(row.list_no),
      applied,
      replica: row.replica ?? "",
      writtenAtMs: row.written_at.getTime(),
    };
    byAgent.set(row.agent_no, [...(byAgent.get(row.agent_no) ?? []), stored]);
  }
  return byAgent;
}

/** Its addresses become mere claims, which the ledger gives up when they are not repeated. */
export async function revokeAgentRow(sql: Sql, agentNo: number): Promise<void> {
  await sql`update agent_addresses set origin = 'claimed' where agent_no = ${agentNo}`;
  await sql`update agents set state = 'revoked', revoked_at = clock_timestamp() where agent_no = ${agentNo}`;
  await sql`
    update agent_certificates set revoked_at = clock_timestamp() where agent_no = ${agentNo} and revoked_at is null`;
}

/** Each group's lists by name, as its agents are brought up to date with them. */
export async function listsByGroup(sql: Sql): Promise<Map<string, string[]>> {
  const rows = await sql<{ name: string; lists: string[] }[]>`
    select g.name, coalesce(array_agg(l.name order by l.list_no) filter (where l.name is not null), '{}') as lists
    from agent_groups g left join lists l on l.list_no = any(g.lists)
    group by g.name order by g.name`;
  return new Map(rows.map(({ name, lists }) => [name, lists]));
}

/** Gives the group where it was; undefined = the agent is revoked. What is known of lists that it loses is forgotten. */
export async function moveAgentRow(sql: Sql, agentNo: number, group: string): Promise<string | undefined> {
  const [row] = await sql<{ former: string }[]>`
    update agents a set agent_group = ${group}
    from (select agent_no, agent_group from agents where agent_no = ${agentNo} and revoked_at is null for update) was
    where a.agent_no = was.agent_no returning was.agent_group as former`;
  await sql`
    delete from agent_lists l using agent_groups g
    where l.agent_no = ${agentNo} and g.name = ${group} and not l.list_no = any(g.lists)`;
  return row?.former;
}
