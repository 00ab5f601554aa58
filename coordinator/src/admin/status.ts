/** The whole on one page: lists, agents, feeds, what is wrong, what the fleet saw. */
import { epochToBytes } from "@fleetban/proto/model/epoch";
import type { DayCount, GetStatusResponse } from "@fleetban/proto/wire/admin";
import type { Sql } from "../store/sql.ts";
import type { Agents } from "./agents.ts";
import { feedMessages } from "./feeds.ts";
import { openHolds } from "./holds.ts";
import { failingJobs } from "./jobs.ts";
import { listStatuses } from "./listings.ts";
import type { AdminParts } from "./parts.ts";

const DAYS = 30;

export async function getStatus(parts: AdminParts, agents: Agents): Promise<GetStatusResponse> {
  const { store, ledger, program, health } = parts;
  const warnables = await health.warnables();
  return {
    programVersion: program.version,
    replica: program.replica,
    epoch: Buffer.from(epochToBytes(ledger.epoch)),
    ledgerTimeMs: Math.round(ledger.ledgerTimeMs()),
    startedAtMs: Math.round(program.startedAtMs),
    store: store.kind,
    jobs: program.jobs,
    lists: listStatuses(parts),
    agents: (await agents.list("")).filter(({ state }) => state !== "revoked"),
    feeds: await feedMessages(parts),
    sightingsToday: await sightingsToday(store.sql),
    localBans: await localBans(store.sql),
    holds: await openHolds(store.sql),
    warnables: warnables.map(({ code, subject }) => (subject === undefined ? code : `${code} ${subject}`)),
    failingJobs: await failingJobs(store.sql),
    warnings: warnables.map(({ code, subject = "", text }) => ({ code, subject, text })),
  };
}

async function sightingsToday(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from sightings
    where received_at >= date_trunc('day', clock_timestamp() at time zone 'utc') at time zone 'utc'`;
  return row?.count ?? 0;
}

async function localBans(sql: Sql): Promise<DayCount[]> {
  const rows = await sql<{ day: string; count: number }[]>`
    select to_char(day, 'YYYY-MM-DD') as day, sum(bans)::bigint as count
    from local_bans group by local_bans.day order by local_bans.day desc limit ${DAYS}`;
  return rows;
}
