/**
 * What is so at the moment of a scrape: lists, feeds, agents, holds and warnables, read together and shown as gauges.
 *
 * A database that does not answer costs the scrape its gauges, not the page: `store_up` says 0.
 */
import { Gauge, type Registry } from "prom-client";
import type { FeedStatus } from "../feeds/feed-status.ts";
import type { HoldCount } from "../guardrails/guardrail-warnables.ts";
import type { ListHead } from "../ledger/ledger.ts";
import type { Counts } from "./queries.ts";
import type { Warnable } from "./warnables.ts";

/** What only the database knows. */
export interface StoredReadings {
  readonly counts: Counts;
  readonly feeds: readonly FeedStatus[];
  /** Never kept: a hold is news. */
  readonly holds: readonly HoldCount[];
}

export interface Readings {
  readonly lists: readonly ListHead[];
  readonly warnables: readonly Warnable[];
  /** Undefined when the database did not answer in time. */
  readonly stored: StoredReadings | undefined;
}

const PREFIX = "fleetban_coordinator_";

/** Reads and shows; to be called before each scrape. */
export function createGauges(registry: Registry, read: () => Promise<Readings>): () => Promise<void> {
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name: `${PREFIX}${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const up = gauge("store_up", "1 when the database answered");
  const revision = gauge("ledger_revision", "Revision of a list", ["list"]);
  const committed = gauge("ledger_commit_timestamp_seconds", "Last change of a list", ["list"]);
  const listings = gauge("listings", "Listings on a list", ["list", "family"]);
  const feedPrefixes = gauge("feed_prefixes", "Prefixes that a feed names", ["feed"]);
  const feedFetched = gauge("feed_fetched_timestamp_seconds", "Last good fetch of a feed", ["feed"]);
  const feedCalls = gauge("feed_calls_left", "Calls that a feed's quota leaves today", ["feed"]);
  const agents = gauge("agents", "Agents by state", ["state"]);
  const holds = gauge("holds", "Changes that wait for an operator", ["subject"]);
  const heldSince = gauge("hold_opened_timestamp_seconds", "When the oldest change began to wait", ["subject"]);
  const offenders = gauge("offenders", "Prefixes that the fleet has sighted");
  const pardons = gauge("pardons", "Pardons in force");
  const allowlist = gauge("allowlist_prefixes", "Prefixes that operators have on the allowlist");
  const packs = gauge("pack_prefixes", "Prefixes of a never-ban pack in force", ["pack"]);
  const jobDone = gauge("job_done_timestamp_seconds", "When a job was last done, at whatever replica", ["job"]);
  const warnable = gauge("warnable", "1 for each bad state, by its code", ["code"]);
  const all = [
    revision,
    committed,
    listings,
    feedPrefixes,
    feedFetched,
    feedCalls,
    agents,
    holds,
    heldSince,
    packs,
    jobDone,
    warnable,
  ];

  return async () => {
    const { lists, warnables, stored } = await read();
    for (const each of all) each.reset(); // what is gone must not stay
    up.set(stored === undefined ? 0 : 1);
    for (const { code } of warnables) warnable.set({ code }, 1);
    for (const { list, revision: at, committedAtMs } of lists) {
      revision.set({ list: list.name }, at);
      committed.set({ list: list.name }, committedAtMs / 1_000);
    }
    if (stored === undefined) return;
    const { counts, feeds, holds: held } = stored;
    for (const { list, family, count } of counts.listings) listings.set({ list, family }, count);
    for (const { state, count } of counts.agents) agents.set({ state }, count);
    for (const { subject, count, oldestAtMs } of held) {
      holds.set({ subject }, count);
      heldSince.set({ subject }, oldestAtMs / 1_000);
    }
    offenders.set(counts.offenders);
    pardons.set(counts.pardons);
    allowlist.set(counts.allowlist);
    for (const { job, doneAtMs } of counts.jobs) jobDone.set({ job }, doneAtMs / 1_000);
    for (const { pack, count } of counts.packs) packs.set({ pack }, count);
    for (const feed of feeds) {
      feedPrefixes.set({ feed: feed.name }, feed.entries);
      feedCalls.set({ feed: feed.name }, Math.max(0, feed.quotaLimit - feed.quotaUsed));
      if (feed.fetchedAtMs !== undefined) feedFetched.set({ feed: feed.name }, feed.fetchedAtMs / 1_000);
    }
  };
}
