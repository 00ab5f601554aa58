/** The fleet's statements: agents by certificate, and what agents report, written in batches. */
import { type ListNo, listNo } from "@fleetban/proto/model/listing";
import type { Sql } from "../store/sql.ts";
import type { Agent, AgentGroup } from "./agent.ts";
import { lastHelloOf } from "./last-hello.ts";
import type { AppliedList, ReportedAgent } from "./reported.ts";

export interface CertifiedAgent {
  readonly agent: Agent;
  readonly isRevoked: boolean;
}

interface CertifiedRow {
  agent_no: number;
  agent_id: string;
  name: string;
  agent_group: string;
  lists: number[];
  settings: AgentGroup["settings"];
  is_revoked: boolean;
  ends_at: Date;
}

export async function agentOfCertificate(sql: Sql, serial: string): Promise<CertifiedAgent | undefined> {
  const [row] = await sql<CertifiedRow[]>`
    select a.agent_no, a.agent_id, a.name, a.agent_group, g.lists, g.settings, c.ends_at,
      (c.revoked_at is not null or a.revoked_at is not null) as is_revoked
    from agent_certificates c
    join agents a on a.agent_no = c.agent_no
    join agent_groups g on g.name = a.agent_group
    where c.serial = ${serial}`;
  if (row === undefined) return undefined;
  const group = { name: row.agent_group, lists: new Set(row.lists.map(listNo)), settings: row.settings };
  const certificateEndsAtMs = row.ends_at.getTime();
  const agent = { agentNo: row.agent_no, agentId: row.agent_id, name: row.name, group, serial, certificateEndsAtMs };
  return { agent, isRevoked: row.is_revoked };
}

export async function selectGroups(sql: Sql): Promise<Map<string, AgentGroup>> {
  const rows = await sql<{ name: string; lists: number[]; settings: AgentGroup["settings"] }[]>`
    select name, lists, settings from agent_groups`;
  return new Map(
    rows.map(({ name, lists, settings }) => [name, { name, lists: new Set(lists.map(listNo)), settings }]),
  );
}

/** By `agent_no`. */
export async function groupsOfAgents(sql: Sql, agents: readonly number[]): Promise<Map<number, string>> {
  if (agents.length === 0) return new Map();
  const rows = await sql<{ agent_no: number; agent_group: string }[]>`
    select agent_no, agent_group from agents where agent_no = any(${[...agents]}::int[])`;
  return new Map(rows.map((row) => [row.agent_no, row.agent_group]));
}

/** What is known of lists that these agents are given no more. */
export async function forgetWithdrawn(sql: Sql): Promise<void> {
  await sql`
    delete from agent_lists l using agents a join agent_groups g on g.name = a.agent_group
    where l.agent_no = a.agent_no and not l.list_no = any(g.lists)`;
}

/** Those of these agents that were revoked, by whichever replica. */
export async function revokedAmong(sql: Sql, agents: readonly number[]): Promise<number[]> {
  if (agents.length === 0) return [];
  const rows = await sql<{ agent_no: number }[]>`
    select agent_no from agents where agent_no = any(${[...agents]}::int[]) and revoked_at is not null`;
  return rows.map((row) => row.agent_no);
}

export interface AppliedRow {
  readonly agentNo: number;
  readonly list: ListNo;
  readonly applied: AppliedList;
}

export async function writeApplied(sql: Sql, replica: string, rows: readonly AppliedRow[]): Promise<void> {
  const columns = rows.map(({ agentNo, list, applied }) => ({
    agent_no: agentNo,
    list_no: list,
    revision: applied.revision,
    kernel_digest: applied.kernelDigest?.toString(16).padStart(32, "0") ?? null,
    kernel_entries: applied.kernelEntries,
    left_out: applied.leftOut,
    kept: applied.kept,
    line: applied.line ?? null,
    checked_at_ms: applied.checkedAtMs,
  }));
  await sql`
    insert into agent_lists
      (agent_no, list_no, revision, kernel_digest, kernel_entries, left_out, kept, line, checked_at, replica, written_at)
    select agent_no, list_no, revision, decode(kernel_digest, 'hex'), kernel_entries, left_out, kept, line,
      to_timestamp(nullif(checked_at_ms, 0) / 1000.0), ${replica}, clock_timestamp()
    from jsonb_to_recordset(${sql.json(columns as never)}) as r (agent_no int, list_no int, revision bigint, kernel_digest text,
      kernel_entries bigint, left_out bigint, kept bigint, line jsonb, checked_at_ms float8)
    on conflict (agent_no, list_no) do update set
      revision = excluded.revision, kernel_digest = excluded.kernel_digest, kernel_entries = excluded.kernel_entries,
      left_out = excluded.left_out, kept = excluded.kept, line = excluded.line, checked_at = excluded.checked_at,
      replica = excluded.replica, written_at = excluded.written_at`;
}

export async function writeLastHellos(sql: Sql, agents: readonly ReportedAgent[]): Promise<void> {
  const rows = agents.map((agent) => ({
    agent_no: agent.agentNo,
    capacity_entries: agent.facts?.capacityEntries ?? 0,
    last_hello: lastHelloOf(agent),
  }));
  await sql`
    update agents set last_hello = r.last_hello, capacity_entries = r.capacity_entries
    from jsonb_to_recordset(${sql.json(rows as never)}) as r (agent_no int, capacity_entries bigint, last_hello jsonb)
    where agents.agent_no = r.agent_no`;
}
