/** SQL of the lists and groups that policies define. */
import { type ListNo, listNo, type Reach } from "@fleetban/proto/model/listing";
import type { Sql } from "../store/sql.ts";
import { FIRST_OWN_LIST } from "./candidate.ts";

export async function selectListNumbers(sql: Sql): Promise<Map<string, ListNo>> {
  const rows = await sql<{ list_no: number; name: string }[]>`select list_no, name from lists`;
  return new Map(rows.map((row) => [row.name, listNo(row.list_no)]));
}

/** Whether anything is new. Lists are never removed: their numbers are never used again. */
export async function upsertList(sql: Sql, name: string, reach: Reach): Promise<boolean> {
  const rows = await sql`
    insert into lists as l (list_no, name, effect, reach, requires, lease_seconds)
    select greatest(${FIRST_OWN_LIST}, max(list_no) + 1), ${name}, 'deny', ${sql.json(reach as never)}::jsonb,
      ${reach.kind === "ports" ? "{1,2}" : "{1}"}::int[], 86400
    from lists
    on conflict (name) do update set reach = excluded.reach, requires = excluded.requires
    where l.reach <> excluded.reach
    returning list_no`;
  return rows.length > 0;
}

export async function moveListsVersion(sql: Sql): Promise<void> {
  await sql`update ledger set lists_version = lists_version + 1`;
}

/** Deny lists by name; whatever its agents have besides stays. `all` = those of which the policy says nothing. */
export async function upsertGroup(sql: Sql, name: string, lists: readonly ListNo[]): Promise<void> {
  await sql`
    insert into agent_groups as g (name, lists) values (${name}, ${[...lists]}::int[])
    on conflict (name) do update set lists = excluded.lists where g.lists <> excluded.lists`;
}

export async function selectGroups(sql: Sql): Promise<{ name: string; lists: number[] }[]> {
  const rows = await sql<{ name: string; lists: number[] }[]>`select name, lists from agent_groups order by name`;
  return rows.map(({ name, lists }) => ({ name, lists }));
}

export async function countAgents(sql: Sql, group: string): Promise<number> {
  const [row] = await sql<{ agents: number }[]>`
    select count(*)::int as agents from agents where agent_group = ${group} and revoked_at is null`;
  return row?.agents ?? 0;
}
