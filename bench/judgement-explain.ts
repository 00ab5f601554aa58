/**
 * How long `explain` of one address takes with a million offenders in the store, each with a strike, a listing and
 * sightings, beside a feed of a hundred thousand: on an embedded Postgres of its own, by the function that the Admin
 * service calls.
 */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { createLog } from "@fleetban/kit/log";
import { explain } from "../coordinator/src/admin/explain.ts";
import { openLedger } from "../coordinator/src/ledger/open-ledger.ts";
import { DEFAULT_POLICY } from "../coordinator/src/policy/policy-in-force.ts";
import { openStore } from "../coordinator/src/store/open-store.ts";
import type { Store } from "../coordinator/src/store/store.ts";

export interface ExplainMeasured {
  readonly offenders: number;
  /** One after the other, each of another address. */
  readonly tookMs: readonly number[];
}

/** Not counted: statements that are prepared and pages that are read for the first time. */
const WARM_UP = 50;
const FEED_ENTRIES = 100_000;
const FLEET_AGENTS = 1_000;
/** Sightings of an offender: most have one, each hundredth a hundred. */
const OFTEN_EVERY = 100;

/** What it makes it gives to `undo` first. */
export async function measureExplain(
  offenders: number,
  times: number,
  undo: AsyncDisposableStack,
): Promise<ExplainMeasured> {
  const log = createLog((line) => process.stderr.write(`${line}\n`), systemClock, "warn");
  const dataDir = await mkdtemp(join(await realpath(tmpdir()), "fb-bench-"));
  undo.defer(() => rm(dataDir, { recursive: true, force: true }));
  const store = await openStore({ dataDir, log });
  undo.defer(() => store.close());
  await fill(store, offenders);
  const policy = () => DEFAULT_POLICY;
  const ledger = await openLedger({ store, clock: systemClock, random: systemRandom, log, policy });
  undo.defer(() => ledger.close());
  const tookMs: number[] = [];
  for (let turn = -WARM_UP; turn < times; turn += 1) {
    // Each fifth is one that is sighted all the time.
    const number = Math.floor(Math.random() * offenders);
    const offender = turn % 5 === 0 ? number - (number % OFTEN_EVERY) : number;
    const begunMs = performance.now();
    const { state } = await explain({ store, ledger, policy }, { prefix: addressOf(offender) });
    if (turn >= 0) tookMs.push(performance.now() - begunMs);
    if (state !== "listed") throw new Error(`explain of ${addressOf(offender)} says ${state}, and it is listed`);
  }
  return { offenders, tookMs };
}

function addressOf(offender: number): string {
  return `45.${offender >> 16}.${(offender >> 8) & 255}.${offender & 255}`;
}

/** By the database itself: what a million commits would leave. */
export async function fill({ sql }: Store, offenders: number): Promise<void> {
  const prefix = "('45.0.0.0'::inet + n)::cidr";
  await sql`
    insert into agents (agent_id, name)
    select gen_random_uuid(), 'web' || n from generate_series(1, ${FLEET_AGENTS}::int) as n`;
  await sql.unsafe(`
    insert into sightings (received_at, spool_no, seq, agent_no, prefix, offender, kind, source, jail, protocol, ports,
      failures, sighted_at, ban_seconds, ban_count, act, outcome)
    select moment, 1, n, 1 + (n + turn) % ${FLEET_AGENTS}, ${prefix}, ${prefix}, 1, 1, 'sshd', 'tcp', 'ssh', 5, moment, 600, 1,
      decode(lpad(to_hex(n), 16, '0'), 'hex'), 1
    from generate_series(0, ${offenders - 1}) as n,
      generate_series(1, case when n % ${OFTEN_EVERY} = 0 then 100 else 1 end) as turn,
      lateral (select clock_timestamp() - turn * interval '1 minute' as moment) as m`);
  await sql.unsafe(`
    insert into strikes (strike_no, prefix, list_no, struck_at, until, policy_no, agents, summary, revision)
    select n, ${prefix}, 2, clock_timestamp() - interval '1 hour', clock_timestamp() + interval '30 days', 0,
      array[1 + n % ${FLEET_AGENTS}], '{"jails": {"sshd": 1}, "rungSeconds": 3600}', 1
    from generate_series(0, ${offenders - 1}) as n`);
  await sql.unsafe(`
    insert into offenders (prefix, list_no, first_at, last_at, sightings, agents, score, decays_at, recent)
    select ${prefix}, 2, clock_timestamp() - interval '1 hour', clock_timestamp(), 1, 1, 1,
      clock_timestamp() + interval '1 day', '[{"agentNo": 1, "jail": "sshd", "at": 1800000000}]'
    from generate_series(0, ${offenders - 1}) as n`);
  await sql.unsafe(`
    insert into listings (list_no, prefix, until, rank, revision, listed_at, reasons)
    select 2, ${prefix}, clock_timestamp() + interval '30 days', 2, 0, clock_timestamp(),
      jsonb_build_array(jsonb_build_object('kind', 'strike', 'key', n::text))
    from generate_series(0, ${offenders - 1}) as n`);
  await sql.unsafe(`
    with feed as (
      insert into feeds (name, kind, list_no, mode, stale_after_seconds) values ('bench', 'abuseipdb', 3, 'enforce', 259200)
      returning feed_no)
    insert into feed_prefixes (feed_no, prefix, confidence, first_fetch_no)
    select feed_no, ('45.0.0.0'::inet + n * 5)::cidr, 100, 1 from feed, generate_series(0, ${FEED_ENTRIES - 1}) as n`);
  await sql`vacuum analyze`; // as autovacuum does within the minute
}
