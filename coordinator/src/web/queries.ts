/** SQL of the health endpoints and metrics: counts, and whether the database answers. */
import type { Sql } from "../store/sql.ts";

export interface Counts {
  readonly listings: readonly { readonly list: string; readonly family: "v4" | "v6"; readonly count: number }[];
  readonly agents: readonly { readonly state: string; readonly count: number }[];
  /** In force, with their prefixes. */
  readonly packs: readonly { readonly pack: string; readonly count: number }[];
  /** When each job was last done, at whatever replica. */
  readonly jobs: readonly { readonly job: string; readonly doneAtMs: number }[];
  readonly offenders: number;
  readonly pardons: number;
  readonly allowlist: number;
}

export async function newestRevision(sql: Sql): Promise<number> {
  const [row] = await sql<{ revision: number }[]>`select coalesce(max(revision), 0)::bigint as revision from lists`;
  return row?.revision ?? 0;
}

export async function selectCounts(sql: Sql): Promise<Counts> {
  const listings = await sql<{ list: string; family: number; count: number }[]>`
    select lists.name as list, family(prefix) as family, count(*)::int as count
    from listings join lists using (list_no) group by 1, 2`;
  const agents = await sql<{ state: string; count: number }[]>`
    select state, count(*)::int as count from agents group by state`;
  const [totals] = await sql<{ offenders: number; pardons: number; allowlist: number }[]>`
    select (select count(*) from offenders)::int as offenders,
      (select count(*) from pardons where ended_at is null and (until is null or until > clock_timestamp()))::int as pardons,
      (select count(*) from allowlist
        where pack is null and ended_at is null and (until is null or until > clock_timestamp()))::int as allowlist`;
  const packs = await sql<{ pack: string; count: number }[]>`select name as pack, prefixes as count from packs`;
  const jobs = await sql<{ job: string; done_at: Date }[]>`
    select job, max(ended_at) as done_at from job_runs where outcome = 'done' group by job`;
  return {
    jobs: jobs.map(({ job, done_at }) => ({ job, doneAtMs: done_at.getTime() })),
    listings: listings.map(({ list, family, count }) => ({ list, family: family === 4 ? "v4" : "v6", count })),
    agents: [...agents],
    packs: [...packs],
    ...{ offenders: 0, pardons: 0, allowlist: 0, ...totals },
  };
}
