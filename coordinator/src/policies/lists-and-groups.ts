/**
 * Brings the ledger's lists and the fleet's groups to what a policy says, before it is in force: what is routed to a list
 * finds it there. Lists are never removed; one that the policy names no more is given to nobody and runs empty.
 */
import { LIST_EXEMPT, LIST_PROBE, LIST_TRIAL, type ListNo } from "@fleetban/proto/model/listing";
import { keepFirstSnapshots } from "../ledger/epoch.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { groupsOfPolicy, listsOfPolicy } from "../policy/policy-lists.ts";
import type { PolicyFile } from "../policy/policy-table.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import { moveListsVersion, selectGroups, selectListNumbers, upsertGroup, upsertList } from "./list-queries.ts";

export interface ListsParts {
  readonly store: Pick<Store, "sql" | "transaction">;
  readonly ledger: Pick<Ledger, "catchUp">;
}

/** Whatever `catchUp` is asked for, it reads all that there is. */
const NEWEST = Number.MAX_SAFE_INTEGER as Parameters<Ledger["catchUp"]>[0];

export async function defineLists({ store, ledger }: ListsParts, file: PolicyFile): Promise<void> {
  await store.transaction(async (sql) => {
    let isNew = false;
    await sql`select from ledger for update`; // before the lists' rows, as every commit does
    for (const { name, reach } of listsOfPolicy(file)) isNew = (await upsertList(sql, name, reach)) || isNew;
    if (!isNew) return;
    await keepFirstSnapshots(sql);
    await moveListsVersion(sql);
  });
  await ledger.catchUp(NEWEST);
}

/** Groups of which the policy says nothing enforce all lists; `trialGroup` has the trial's besides. */
export async function defineGroups(sql: Sql, file: PolicyFile, trialGroup: string | undefined): Promise<void> {
  const numbers = await selectListNumbers(sql);
  const named = new Map(groupsOfPolicy(file).map(({ name, lists }) => [name, lists]));
  const own = listsOfPolicy(file).map(({ name }) => name);
  const present = (await selectGroups(sql)).map(({ name }) => name);
  for (const group of new Set([...present, ...named.keys()])) {
    const lists = named.get(group) ?? ["fleet", "feeds", ...own];
    const deny = lists.flatMap((name) => numbers.get(name) ?? []);
    const trial: ListNo[] = group === trialGroup ? [LIST_TRIAL] : [];
    const all = [LIST_EXEMPT, LIST_PROBE, ...deny, ...trial];
    await upsertGroup(
      sql,
      group,
      [...new Set(all)].sort((a, b) => a - b),
    );
  }
}
