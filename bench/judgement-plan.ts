/**
 * How long the plan of a changed policy takes over seven days of a busy fleet: on an embedded Postgres of its own, by the
 * function that the Admin service calls. The days before the window that a plan remembers are there, too, and the lists
 * are what the policy in force makes of them.
 */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { createLog } from "@fleetban/kit/log";
import { DEFAULT_GUARDRAILS } from "../coordinator/src/guardrails/guardrails.ts";
import type { OpenLedger } from "../coordinator/src/ledger/open-ledger.ts";
import { openLedger } from "../coordinator/src/ledger/open-ledger.ts";
import { candidateOf } from "../coordinator/src/policies/candidate.ts";
import { makePlan, type PolicyPlan } from "../coordinator/src/policies/make-plan.ts";
import { settle } from "../coordinator/src/policies/settle.ts";
import { DEFAULT_POLICY } from "../coordinator/src/policy/policy-in-force.ts";
import { openStore } from "../coordinator/src/store/open-store.ts";
import type { Store } from "../coordinator/src/store/store.ts";

export interface PlanWindow {
  /** Received within the seven days; those before come besides. */
  readonly sightings: number;
  readonly offenders: number;
}

export interface PlanMeasured extends PlanWindow {
  readonly seconds: number;
  readonly changes: number;
  /** That the policy in force was brought to the lists. */
  readonly settledSeconds: number;
}

const DAYS = 7;
/** A sighting is remembered for five half-lives of a day. */
const DAYS_BEFORE = 5;
const FLEET_AGENTS = 1_000;
const ROWS_AT_ONCE = 100_000;
/** Weighs half of the jails down, and lets the ladder begin lower. */
const CHANGED =
  "jails: { jail1: { weight: 0.4 }, jail2: { weight: 0 } }\nstrikes: { ladder: [30m, 4h, 1d, 7d, 30d] }\n";

/** What it makes it gives to `undo` first. */
export async function measurePlan(window: PlanWindow, undo: AsyncDisposableStack): Promise<PlanMeasured> {
  const log = createLog((line) => process.stderr.write(`${line}\n`), systemClock, "warn");
  const dataDir = await mkdtemp(join(await realpath(tmpdir()), "fb-bench-"));
  undo.defer(() => rm(dataDir, { recursive: true, force: true }));
  const store = await openStore({ dataDir, log });
  undo.defer(() => store.close());
  const policy = () => DEFAULT_POLICY;
  const ledger = await openLedger({ store, clock: systemClock, random: systemRandom, log, policy });
  undo.defer(() => ledger.close());
  await fillFor(store, window);
  const settledSeconds = await settleFor(store, ledger);
  await store.sql`analyze`;
  const plan = await planOf(store, ledger, CHANGED);
  if (plan.sightings < window.sightings * 0.99) throw new Error(`planned over ${plan.sightings} sightings`);
  const { sightings, prefixes: offenders, tookMs, changes } = plan;
  return { sightings, offenders, settledSeconds, seconds: tookMs / 1_000, changes: changes.length };
}

function planOf(store: Store, ledger: OpenLedger, body: string): Promise<PolicyPlan> {
  const { retentionSeconds } = DEFAULT_POLICY;
  const present = ledger.lists().map(({ list }) => list);
  const candidate = candidateOf(body, "policy.yaml", { policyNo: 0, retentionSeconds }, present);
  const ask = { candidate, definitions: [], packs: [], guardrails: DEFAULT_GUARDRAILS, days: DAYS };
  return makePlan({ store, clock: systemClock }, ask, new AbortController().signal);
}

export async function settleFor(store: Store, ledger: OpenLedger): Promise<number> {
  const plan = await planOf(store, ledger, "");
  const begunMs = performance.now();
  const parts = { store, ledger, clock: systemClock, log: createLog(() => undefined, systemClock, "error") };
  const ask = { plan, days: DAYS, undoes: undefined, isApproved: true, beforeSlice: async () => true };
  await settle({ ...parts, policy: () => DEFAULT_POLICY }, ask, new AbortController().signal);
  return (performance.now() - begunMs) / 1_000;
}

/** Some are sighted all the time, most a few times; each by several agents. */
export async function fillFor({ sql }: Store, { sightings, offenders }: PlanWindow): Promise<void> {
  const rows = Math.round((sightings * (DAYS + DAYS_BEFORE)) / DAYS);
  const days = DAYS + DAYS_BEFORE;
  for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
    const to = Math.min(rows, from + ROWS_AT_ONCE) - 1;
    await sql`
      insert into sightings (received_at, spool_no, seq, agent_no, prefix, offender, kind, source, jail, protocol, ports,
        failures, sighted_at, ban_seconds, ban_count, act, outcome)
      select at, agent, n, agent, address, address, 1, 1, 'jail' || n % 5, 'tcp', 'ssh', 5, at, 600, 1,
        decode(lpad(to_hex(n), 16, '0'), 'hex'), 1
      from (
        select n, 1 + n % ${FLEET_AGENTS} as agent,
          clock_timestamp() - interval '1 minute' - (${rows} - n) * (${days}::int * interval '1 day' / ${rows}::int) as at,
          ('45.' || (o >> 16) || '.' || ((o >> 8) & 255) || '.' || (o & 255))::cidr as address
        from (select n, floor(${offenders}::int * power(random(), 1.5))::int as o
          from generate_series(${from}::int, ${to}::int) as n) as drawn
      ) as t`;
  }
}
