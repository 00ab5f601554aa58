/** Reporting over a real Postgres, a real ledger and the fake AbuseIPDB, for tests. */
import type { TestContext } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import type { Sighting } from "@fleetban/proto/model/sighting";
import { type FakeAbuseIpdb, FREE_KEY, startFakeAbuseIpdb } from "../../../test/support/fake-abuseipdb.ts";
import { exchangeOverHttp } from "../drivers/http-exchange.ts";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import type { Store } from "../store/store.ts";
import { createTestDatabase, type TestDatabase } from "../store/test-database.ts";
import type { ReportOutcome, ReportsParts } from "./parts.ts";
import { type ReportState, selectReports } from "./queries.ts";
import type { ReportPolicy } from "./report-table.ts";
import { reportOnce } from "./reports-jobs.ts";

export interface TestReports {
  readonly fake: FakeAbuseIpdb;
  readonly database: TestDatabase;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly parts: ReportsParts;
  /** What metrics are told. */
  readonly outcomes: Map<ReportOutcome, number>;
  /** A new agent; its number. */
  agent(name: string): Promise<number>;
  /** Stored, counted, listed. */
  sight(agentNo: number, address: string, given?: Partial<Sighting>): Promise<void>;
  /** A turn of the job. */
  report(): Promise<void>;
  setPolicy(changed: Partial<ReportPolicy>): void;
  /** As if so long had passed: for what is kept here, and for the fake. */
  pass(ms: number): Promise<void>;
  states(): Promise<Record<string, ReportState>>;
}

export const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 3600_000;

const POLICY: ReportPolicy = {
  mode: "send",
  by: "single",
  jails: {},
  agents: 1,
  evidence: true,
  scrub: [],
  againAfterSeconds: 86_400,
  maxAgeSeconds: 2 * 86_400,
  quotaShare: 0.8,
};

export async function startReports(t: TestContext, key = FREE_KEY): Promise<TestReports> {
  const database = await createTestDatabase(t);
  const { store } = database;
  const ledger = await openTestLedger(t, store, { policy: { udpWeight: 1 } });
  const fake = await startFakeAbuseIpdb({ entries: [] });
  t.after(() => fake.close());
  const outcomes = new Map<ReportOutcome, number>();
  let policy = POLICY;
  const seqs = new Map<number, number>();
  const parts: ReportsParts = {
    store,
    ledger,
    exchange: exchangeOverHttp,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    policy: () => policy,
    api: { url: fake.url, key, programVersion: "test" },
    hostNames: ["coordinator.example.org"],
    observe: (outcome, count) => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count),
  };
  return {
    ...{ fake, database, store, ledger, parts, outcomes },
    async agent(name) {
      const [row] = await store.sql<{ agent_no: number }[]>`
        insert into agents (agent_id, name) values (gen_random_uuid(), ${name}) returning agent_no`;
      return row?.agent_no ?? 0;
    },
    async sight(agentNo, address, given = {}) {
      const seq = (seqs.get(agentNo) ?? 0) + 1;
      seqs.set(agentNo, seq);
      const sighting = sightingOf(ledger, address, { bannedAtMs: ledger.ledgerTimeMs() - 90_000, ...given });
      await ledger.commitSightings(batchOf(ledger, agentNo, seq, [sighting], `spool ${agentNo}`));
    },
    report: () => reportOnce(parts, new AbortController().signal),
    setPolicy(changed) {
      policy = { ...policy, ...changed };
    },
    async pass(ms) {
      fake.advanceClock(ms);
      const by = store.sql`make_interval(secs => ${ms / 1_000})`;
      await store.sql`
        update reports set sent_at = sent_at - ${by}, planned_at = planned_at - ${by}, sighted_at = sighted_at - ${by}`;
      await store.sql`update sightings set sighted_at = sighted_at - ${by}`;
      await store.sql`update report_calls set called_at = called_at - ${by}`;
      await store.sql`update report_quotas set told_at = told_at - ${by}, blocked_until = blocked_until - ${by}`;
    },
    async states() {
      const reports = await selectReports(store.sql, { state: "", limit: 1_000 });
      return Object.fromEntries(reports.toReversed().map(({ address, state }) => [address, state]));
    },
  };
}
