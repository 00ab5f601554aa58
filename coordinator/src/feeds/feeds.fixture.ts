/** A feed over a real Postgres, a real ledger and the fake AbuseIPDB, for tests. */
import type { TestContext } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { LIST_FEEDS } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { BlacklistEntry } from "../../../test/support/fake-abuseipdb/blacklist.ts";
import { type FakeAbuseIpdb, FREE_KEY, startFakeAbuseIpdb } from "../../../test/support/fake-abuseipdb.ts";
import { readFeedFile } from "../drivers/feed-file.ts";
import { downloadOverHttp } from "../drivers/http-download.ts";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Store } from "../store/store.ts";
import { createTestDatabase } from "../store/test-database.ts";
import { defaultGuardrails } from "./default-guardrails.fixture.ts";
import { defineFeeds } from "./define-feeds.ts";
import type { AbuseIpdbFeed, EntryFilter, FeedDefinition } from "./feed.ts";
import type { FetchLimits } from "./fetch-parts.ts";
import type { FeedsParts } from "./parts.ts";
import { type Refreshed, refreshFeed } from "./refresh.ts";

export interface TestFeeds {
  readonly fake: FakeAbuseIpdb;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly feed: AbuseIpdbFeed;
  readonly parts: FeedsParts;
  now(): UnixMs;
  /** By hand: due or not. */
  refresh(feed?: FeedDefinition, limits?: FetchLimits): Promise<Refreshed>;
  /** What the database has on the list, and its revision: until in Unix seconds by prefix. */
  listed(): Promise<{ revision: number; listings: Map<Prefix, number> }>;
  protect(address: Prefix): Promise<void>;
  /** The publisher makes a new list, two seconds later than the one before. */
  nextList(): void;
  makeDue(): Promise<void>;
  /** As if the time of a crashed run's lease had passed. */
  expireLease(): Promise<void>;
}

/** No good answer takes so long, on whatever machine. */
const PATIENT: FetchLimits = { deadlineMs: 60_000, idleMs: 60_000 };
/** For a publisher that says nothing, or takes for ever: the other limit is out of its way. */
export const SILENCE_MAX: FetchLimits = { ...PATIENT, idleMs: 600 };
export const DRIP_MAX: FetchLimits = { ...PATIENT, deadlineMs: 3_000 };

export const EVERYTHING: EntryFilter = { onlyCountries: [], exceptCountries: [], onlyNetworks: [] };

export function feedAt(url: string): AbuseIpdbFeed {
  return {
    name: "abuseipdb",
    kind: "abuseipdb",
    mode: "enforce",
    everySeconds: 86_400,
    staleAfterSeconds: 72 * 3600,
    list: "feeds",
    licence: "own-use",
    filter: EVERYTHING,
    abuseipdb: {
      url,
      key: FREE_KEY,
      confidenceMinimum: 100,
      limit: 10_000,
      callsPerDay: 5,
      callsKept: 2,
      plaintext: false,
    },
  };
}

export async function startFeeds(t: TestContext, { entries }: { entries: BlacklistEntry[] }): Promise<TestFeeds> {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const fake = await startFakeAbuseIpdb({ entries });
  t.after(() => fake.close());
  const feed = feedAt(fake.url);
  const parts: FeedsParts = {
    store,
    ledger,
    download: downloadOverHttp,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    definitions: () => [feed],
    ...defaultGuardrails(store),
    readFile: readFeedFile,
    limits: PATIENT,
    programVersion: "0.1.0",
    runId: "test",
  };
  await defineFeeds(store, [feed]);
  const now = () => unixMs(ledger.ledgerTimeMs());
  return {
    fake,
    store,
    ledger,
    feed,
    parts,
    now,
    refresh: (wanted = feed, limits = parts.limits) =>
      refreshFeed({ ...parts, limits }, wanted, true, new AbortController().signal),
    async listed() {
      const [list] = await store.sql<{ revision: number }[]>`select revision from lists where list_no = ${LIST_FEEDS}`;
      const rows = await store.sql<{ prefix: string; until: number }[]>`
        select prefix, extract(epoch from until)::float8 as until from listings where list_no = ${LIST_FEEDS}
        order by prefix`;
      const listings = new Map(rows.map((row) => [parsePrefix(row.prefix), row.until]));
      return { revision: list?.revision ?? 0, listings };
    },
    async protect(address) {
      const [agent] = await store.sql<{ agent_no: number }[]>`
        insert into agents (agent_id, name)
        values (gen_random_uuid(), 'one') returning agent_no`;
      await ledger.setAgentAddresses(agent?.agent_no ?? 0, [{ address, origin: "observed" }]);
    },
    nextList() {
      fake.advanceClock(2_000);
      fake.regenerate();
    },
    makeDue: async () => void (await store.sql`update feeds set next_at = clock_timestamp() - interval '1 minute'`),
    expireLease: async () =>
      void (await store.sql`update feeds set leased_until = clock_timestamp() - interval '1 minute'`),
  };
}
