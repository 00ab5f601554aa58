/**
 * Asks everything that a coordinator needs whether it works, each question with its deadline.
 *
 * The ledger counts as followed when the revision that the database has now is in memory soon after; a replica whose follower
 * has died never gets there.
 */
import type { Clock } from "@fleetban/kit/clock";
import { unixMs } from "@fleetban/proto/model/time";
import { type FeedStatus, feedStatuses } from "../feeds/feed-status.ts";
import { feedWarnings } from "../feeds/feed-warnables.ts";
import { type GuardrailWarning, holdCounts, holdWarnings } from "../guardrails/guardrail-warnables.ts";
import { missingPacks, type PacksParts } from "../guardrails/sync-packs.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { policyWarnings } from "../policies/policy-warnings.ts";
import type { Store } from "../store/store.ts";
import type { Readings } from "./gauges.ts";
import type { OutgoingWarning } from "./outgoing-warnings.ts";
import type { PlainStore } from "./plain-stores.ts";
import { type Counts, newestRevision, selectCounts } from "./queries.ts";
import { feedWarnables, type Warnable, warnable } from "./warnables.ts";
import { withinMs } from "./within.ts";

export interface HealthParts {
  readonly store: Pick<Store, "sql">;
  readonly ledger: Pick<Ledger, "clockHeld" | "storeFull" | "ledgerTimeMs" | "lists">;
  readonly jobs: Pick<Jobs, "warnables">;
  readonly clock: Clock;
  /** Absent = there are no packs. */
  readonly packs?: Pick<PacksParts, "chosen">;
  readonly plainStores?: readonly PlainStore[];
  /** Absent = nothing goes out. */
  readonly outgoingWarnings?: () => Promise<readonly OutgoingWarning[]>;
}

export interface Health {
  /** Whether no warnable says that it is not; asks for nothing else. */
  isReady(): Promise<boolean>;
  warnables(): Promise<readonly Warnable[]>;
  readings(): Promise<Readings>;
}

const STORE_MAX_MS = 2_000;
const FOLLOW_MAX_MS = 2_500; // it polls each second where notifications fail
const FOLLOW_POLL_MS = 25;
/** A count of a million listings takes a quarter second; a scrape comes each 15 s from several sides. */
const COUNTS_KEPT_MS = 60_000;

export function createHealth(parts: HealthParts): Health {
  const { store, ledger, jobs, clock } = parts;
  let kept: { readonly atMs: number; readonly counts: Counts } | undefined;

  async function counts(): Promise<Counts> {
    if (kept === undefined || clock.monotonicMs() - kept.atMs > COUNTS_KEPT_MS) {
      kept = { atMs: clock.monotonicMs(), counts: await selectCounts(store.sql) };
    }
    return kept.counts;
  }

  async function follows(revision: number): Promise<boolean> {
    const deadlineMs = clock.monotonicMs() + FOLLOW_MAX_MS;
    while (newestInMemory() < revision) {
      if (clock.monotonicMs() > deadlineMs) return false;
      await clock.sleep(FOLLOW_POLL_MS);
    }
    return true;
  }

  function newestInMemory(): number {
    return Math.max(0, ...ledger.lists().map((list) => list.revision));
  }

  /** All of which one can make the coordinator not ready, at the price of one cheap question. */
  async function decisive(): Promise<{ readonly found: Warnable[]; readonly isReached: boolean }> {
    const found = jobs.warnables().map((code) => warnable(code));
    for (const { code, subject } of parts.plainStores ?? []) found.push(warnable(code, subject));
    if (ledger.clockHeld) found.push(warnable("clock-held"));
    if (ledger.storeFull) found.unshift(warnable("store-full"));
    const revision = await withinMs(clock, STORE_MAX_MS, newestRevision(store.sql));
    if (revision === undefined) return { found: [warnable("store-unreachable"), ...found], isReached: false };
    if (!(await follows(revision))) found.push(warnable("ledger-behind"));
    return { found, isReached: true };
  }

  async function judged(feeds: readonly FeedStatus[] | undefined): Promise<readonly Warnable[]> {
    const { found, isReached } = await decisive();
    if (!isReached) return found;
    if (feeds === undefined) return [warnable("store-unreachable"), ...found];
    const [policies = [], guarded = [], outgoing = []] = await Promise.all([
      withinMs(clock, STORE_MAX_MS, policyWarnings(store.sql, ledger.ledgerTimeMs())),
      withinMs(clock, STORE_MAX_MS, guardrailWarnings()),
      withinMs(clock, STORE_MAX_MS, outgoingWarnings()),
    ]);
    for (const { code, subject } of [...policies, ...guarded, ...outgoing]) found.push(warnable(code, subject));
    return [...found, ...feedWarnables(feedWarnings(feeds, unixMs(ledger.ledgerTimeMs())))];
  }

  async function outgoingWarnings(): Promise<readonly OutgoingWarning[]> {
    return (await parts.outgoingWarnings?.()) ?? [];
  }

  async function guardrailWarnings(): Promise<readonly GuardrailWarning[]> {
    const missing = await missingPacks(store.sql, parts.packs?.chosen() ?? []);
    const holds = await holdWarnings(store.sql);
    return [...holds, ...missing.map((subject) => ({ code: "pack-missing" as const, subject }))];
  }

  function readFeeds(): Promise<readonly FeedStatus[] | undefined> {
    return withinMs(clock, STORE_MAX_MS, feedStatuses(store.sql, unixMs(ledger.ledgerTimeMs())));
  }

  return {
    isReady: async () => (await decisive()).found.every(({ severity }) => severity !== "not-ready"),
    warnables: async () => await judged(await readFeeds()),
    async readings() {
      const feeds = await readFeeds();
      const counted = feeds && (await withinMs(clock, STORE_MAX_MS, counts()));
      const holds = counted && (await withinMs(clock, STORE_MAX_MS, holdCounts(store.sql)));
      const stored = feeds && counted && holds && { counts: counted, feeds, holds };
      return { lists: ledger.lists(), warnables: await judged(feeds), stored };
    },
  };
}
