/** A ledger that decides by stored policies, and a day of sightings to try them on. */
import type { TestContext } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { seededRandom } from "@fleetban/kit/random";
import type { Sighting } from "@fleetban/proto/model/sighting";
import { DEFAULT_GUARDRAILS } from "../guardrails/guardrails.ts";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import type { Store } from "../store/store.ts";
import { createTestDatabase } from "../store/test-database.ts";
import { candidateOf } from "./candidate.ts";
import { makePlan, type PolicyPlan } from "./make-plan.ts";
import { openPolicies, type Policies } from "./policies.ts";
import { newestPolicies, storePolicy } from "./policy-desk.ts";
import { begin, type LifeParts, rollBack } from "./policy-life.ts";
import type { NewPolicy } from "./queries.ts";
import type { StoredPolicy } from "./stored-policy.ts";

export interface PolicyStage {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly policies: Policies;
  readonly life: LifeParts;
  /** Puts the text in force, the lists included. */
  apply(body: string, wanted?: Partial<NewPolicy>): Promise<StoredPolicy>;
  /** The newest of them, to its end. */
  rollback(): Promise<void>;
  /** What the text would change on the last seven days. */
  plan(body: string, days?: number): Promise<PolicyPlan>;
}

const OPERATOR = { name: "test", role: "socket" };
export const RETENTION_SECONDS = 30 * 86_400;

export async function openPolicyStage(t: TestContext): Promise<PolicyStage> {
  const { store } = await createTestDatabase(t);
  const parts = { store, clock: systemClock, log: silentLog, retentionSeconds: RETENTION_SECONDS };
  const policies = await openPolicies(parts);
  const policy = () => policies.current().policy;
  const ledger = await openTestLedger(t, store, { source: policy, readPolicy: policies.refresh });
  const life: LifeParts = {
    ...{
      store,
      ledger,
      clock: systemClock,
      log: silentLog,
      policies,
      retentionSeconds: RETENTION_SECONDS,
      runId: "test",
    },
    definitionsOf: () => [],
    readPacks: async () => new Map(),
    onMoved: async () => undefined,
  };
  return {
    ...{ store, ledger, policies, life },
    async apply(body, wanted = {}) {
      const given = { body, author: "test", reason: "", days: 7, confirmSeconds: undefined, canary: undefined };
      const policy = await storePolicy(store, OPERATOR, { ...given, isApproved: true, ...wanted });
      if (policy.canary === undefined) await begin(life, policy, OPERATOR, "policy begin");
      return policy;
    },
    async rollback() {
      const newest = (await newestPolicies(store.sql, 100)).find(({ rolledBack }) => rolledBack === undefined);
      if (newest === undefined) throw new Error("no policy to roll back");
      await rollBack(life, newest, OPERATOR, "the test says so");
    },
    plan(body, days = 7) {
      const present = ledger.lists().map(({ list }) => list);
      const place = { policyNo: 0, retentionSeconds: RETENTION_SECONDS };
      const candidate = candidateOf(body, "policy.yaml", place, present);
      const ask = { candidate, definitions: [], packs: [], guardrails: DEFAULT_GUARDRAILS, days };
      return makePlan({ store, clock: systemClock }, ask, new AbortController().signal);
    },
  };
}

const AGENTS = 4;
const JAILS = ["sshd", "postfix", "nginx-limit-req"];
const DAY_MS = 86_400_000;

/** The same for the same seed: some addresses, sighted at random moments of the day by some of the agents. */
export function dayOfSightings(ledger: Ledger, seed: number, count: number): Map<number, Sighting[]> {
  const random = seededRandom(seed);
  const below = (max: number) => Math.floor(random.unit() * max);
  const nowMs = ledger.ledgerTimeMs();
  const byAgent = new Map<number, Sighting[]>();
  for (let at = 0; at < count; at += 1) {
    const agentNo = 1 + below(AGENTS);
    const address = below(5) === 0 ? `2600:1:2:${below(9)}::${1 + below(9)}` : `198.50.${below(3)}.${1 + below(8)}`;
    const given = {
      jail: JAILS[below(JAILS.length)] ?? "sshd",
      kind: below(8) === 0 ? ("prolong" as const) : ("ban" as const),
      bannedAtMs: Math.floor(nowMs - random.unit() * DAY_MS),
      banSeconds: [600, 3_600, 86_400, -1][below(4)] ?? 600,
    };
    byAgent.set(agentNo, [...(byAgent.get(agentNo) ?? []), sightingOf(ledger, address, given)]);
  }
  return byAgent;
}

/** In batches of a few, as agents send them. */
export async function commitDay(
  ledger: Ledger,
  day: ReadonlyMap<number, readonly Sighting[]>,
  spool = "day",
): Promise<void> {
  const size = 7;
  for (const [agentNo, sightings] of day) {
    for (let at = 0; at < sightings.length; at += size) {
      await ledger.commitSightings(batchOf(ledger, agentNo, at + 1, sightings.slice(at, at + size), spool));
    }
  }
}

export interface StrikeText {
  readonly text: string;
}

/** Strikes in force, as text: what they are, not how they are numbered. */
export async function strikeTexts(store: Store): Promise<string[]> {
  const rows = await store.sql<StrikeText[]>`
    select concat_ws(' ', list_no, prefix, extract(epoch from struck_at)::bigint, extract(epoch from until)::bigint,
      summary->>'rungSeconds') as text
    from strikes where voided_at is null order by 1`;
  return rows.map(({ text }) => text);
}

export async function listingTexts(store: Store): Promise<string[]> {
  const rows = await store.sql<StrikeText[]>`
    select concat_ws(' ', list_no, prefix, extract(epoch from until)::bigint, rank) as text
    from listings where until is null or until > clock_timestamp() order by 1`;
  return rows.map(({ text }) => text);
}
