/**
 * The job that ends open-ended listings which nobody tries any more, as the policy says (`prune_after`).
 *
 * It also remembers when each was last tried, whether or not anything is pruned. Judged twice: once to find candidates,
 * once under the ledger's lock, where no sighting and no ban can come between. Each end has its audit record.
 */

import { formatDuration } from "@fleetban/kit/duration";
import type { Log } from "@fleetban/kit/log";
import { msFromSeconds, secondsFromMs, type UnixSeconds } from "@fleetban/proto/model/time";
import { recordAct } from "../admin/audit.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Policy, PolicySource } from "../policy/policy.ts";
import { judgeIdle } from "../policy/prune.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import { type IdleListing, openEndedListings, pruneBans, rememberTries, selectWitnesses } from "./idle-queries.ts";

export interface PruneParts {
  readonly store: Pick<Store, "sql" | "transaction">;
  readonly ledger: Pick<Ledger, "clockHeld" | "ledgerTimeMs" | "write" | "decideAnew">;
  readonly policy: PolicySource;
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
  let pruned = 0;
  for (let at = 0; at < idle.length; at += PRUNED_A_COMMIT) {
    signal.throwIfAborted();
    const slice = idle.slice(at, at + PRUNED_A_COMMIT).map(({ prefix }) => prefix);
    const { changed } = await ledger.write({ kind: "policy" }, async (sql, now) => {
      const still = await idleAmong(policy, sql, await openEndedListings(sql, slice), now);
      const prefixes = still.map(({ prefix }) => prefix);
      await pruneBans(sql, prefixes);
      for (const listing of still) await record(policy, sql, listing);
      return await ledger.decideAnew(sql, prefixes, now);
    });
    pruned += changed;
  }
  if (pruned > 0) log.info("hits.listings_pruned", { listings: pruned, afterSeconds: policy.pruneAfterSeconds });
  return pruned;
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
  const reason = `${tried}; policy.prune_after is ${formatDuration(policy.pruneAfterSeconds)}`;
  const before = { since, last_tried_at: lastTriedAt ?? null };
  await recordAct(sql, { name: "policy", role: "policy" }, { act: "prune", subject: prefix, reason, before });
}
