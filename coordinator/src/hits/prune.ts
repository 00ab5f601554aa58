/**
 * The job that ends open-ended listings which nobody tries any more, as the policy says (`prune_after`).
 *
 * It also remembers when each was last tried, whether or not anything is pruned. Judged twice: once to find candidates,
 * once under the ledger's lock, where no sighting and no ban can come between. Each end has its audit record.
 */

import { formatDuration } from "@fleetban/kit/duration";
import type { Log } from "@fleetban/kit/log";
import { piecesOf } from "@fleetban/kit/pieces";
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import { msFromSeconds, secondsFromMs, type UnixSeconds } from "@fleetban/proto/model/time";
import { recordAct } from "../admin/audit.ts";
import type { Braked, ListChangeWish } from "../guardrails/brake-list.ts";
import { NOTHING_COVERED } from "../guardrails/cover.ts";
import type { Ledger, Plan } from "../ledger/ledger.ts";
import type { Policy, PolicySource } from "../policy/policy.ts";
import { judgeIdle } from "../policy/prune.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import { type IdleListing, openEndedListings, pruneBans, rememberTries, selectWitnesses } from "./idle-queries.ts";

export interface PruneParts {
  readonly store: Pick<Store, "sql" | "transaction">;
  readonly ledger: Pick<Ledger, "clockHeld" | "ledgerTimeMs" | "lists" | "write" | "decideAnew">;
  readonly policy: PolicySource;
  /** Whether so many may go at once; opens a hold where not. */
  readonly brake: (wish: ListChangeWish) => Promise<Braked>;
  readonly log: Log;
}

/** A commit: each prefix costs an audit record as well. */
const PRUNED_A_COMMIT = 200;

export async function pruneListings(parts: PruneParts, signal: AbortSignal): Promise<number> {
  const { store, ledger, log } = parts;
  const policy = parts.policy();
  const listings = await openEndedListings(store.sql);
  await store.transaction((sql) => rememberTries(sql, listings));
  if (policy.pruneAfterSeconds === 0 || ledger.clockHeld) return 0; // a clock that jumped makes everything old
  const idle = await idleAmong(policy, store.sql, listings, secondsFromMs(ledger.ledgerTimeMs()));
  const { holdsRemovals, isApproved } = await brakePrune(parts, idle);
  if (holdsRemovals) return 0; // an operator is asked; until then they stay
  let pruned = 0;
  for (const some of piecesOf(idle, PRUNED_A_COMMIT)) {
    signal.throwIfAborted();
    const slice = some.map(({ prefix }) => prefix);
    const plan: Plan = async (sql, now) => {
      const still = await idleAmong(policy, sql, await openEndedListings(sql, slice), now);
      const prefixes = still.map(({ prefix }) => prefix);
      await pruneBans(sql, prefixes);
      for (const listing of still) await record(policy, sql, listing);
      return await ledger.decideAnew(sql, prefixes, now);
    };
    pruned += (await ledger.write({ kind: "policy" }, plan, { approved: isApproved })).changed;
  }
  if (pruned > 0) log.info("hits.listings_pruned", { listings: pruned, afterSeconds: policy.pruneAfterSeconds });
  return pruned;
}

function brakePrune({ ledger, brake }: PruneParts, idle: readonly IdleListing[]): Promise<Braked> {
  const head = ledger.lists().find(({ list }) => list.list === LIST_FLEET);
  const before = { listings: head?.listings ?? 0, cover: NOTHING_COVERED }; // what is taken off covers nothing more
  const list = { list: LIST_FLEET, name: head?.list.name ?? "fleet" };
  return brake({ cause: "prune", list, before, removed: idle.map(({ prefix }) => prefix), added: [] });
}

async function idleAmong(
  policy: Policy,
  sql: Sql,
  listings: readonly IdleListing[],
  now: UnixSeconds,
): Promise<IdleListing[]> {
  const witnesses = await selectWitnesses(sql);
  return listings.filter((listing) => judgeIdle(listing, witnesses, policy, now).kind === "prune");
}

async function record(policy: Policy, sql: Sql, { prefix, since, lastTriedAt }: IdleListing): Promise<void> {
  const tried =
    lastTriedAt === undefined ? "never tried" : `last tried ${new Date(msFromSeconds(lastTriedAt)).toISOString()}`;
  const reason = `${tried}; prune_after is ${formatDuration(policy.pruneAfterSeconds)}`;
  const before = { since, last_tried_at: lastTriedAt ?? null };
  await recordAct(sql, { name: "policy", role: "policy" }, { act: "prune", subject: prefix, reason, before });
}
