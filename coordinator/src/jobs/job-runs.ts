/**
 * Runs of jobs as they are kept: when each began and ended, what came of it, at which replica. Bounded a job: of those that
 * were done a few, so that thousands of them do not push out the one that failed.
 */
import type { Sql } from "../store/sql.ts";

export type RunOutcome = "done" | "failed" | "stopped";

export interface JobRun {
  readonly replica: string;
  readonly startedAtMs: number;
  /** Undefined = it is running, or its process ended before it. */
  readonly ended: EndedRun | undefined;
}

export interface EndedRun {
  readonly atMs: number;
  readonly outcome: RunOutcome;
  /** Of a failed one. */
  readonly errorCode: string | undefined;
}

export interface JobStatus {
  readonly job: string;
  readonly last: JobRun;
  readonly doneAtMs: number | undefined;
  /** In the last 24 hours. */
  readonly failures: number;
}

interface RawRun {
  started_at: Date;
  ended_at: Date | null;
  outcome: RunOutcome | null;
  detail: { replica?: string; error_code?: string } | null;
}

const DAYS_KEPT = 30;
const DONE_KEPT = 100;
const OTHERS_KEPT = 1_000;

export async function insertRun(sql: Sql, job: string, replica: string): Promise<number> {
  const [row] = await sql<{ run_no: number }[]>`
    insert into job_runs (job, detail) values (${job}, jsonb_build_object('replica', ${replica}::text)) returning run_no`;
  return row?.run_no ?? 0;
}

export async function endRun(
  sql: Sql,
  runNo: number,
  outcome: RunOutcome,
  errorCode: string | undefined,
): Promise<void> {
  await sql`
    update job_runs set ended_at = clock_timestamp(), outcome = ${outcome},
      detail = detail || jsonb_strip_nulls(jsonb_build_object('error_code', ${errorCode ?? null}::text))
    where run_no = ${runNo}`;
}

/** By name. A job that this version does not know any more is among them until its runs are forgotten. */
export async function jobStatuses(sql: Sql): Promise<JobStatus[]> {
  const rows = await sql<(RawRun & { job: string; done_at: Date | null; failures: number })[]>`
    select distinct on (job) job, started_at, ended_at, outcome, detail,
      max(ended_at) filter (where outcome = 'done') over (partition by job) as done_at,
      (count(*) filter (where outcome = 'failed' and ended_at > clock_timestamp() - interval '1 day')
        over (partition by job))::int as failures
    from job_runs order by job, run_no desc`;
  return rows.map(({ job, done_at, failures, ...run }) => {
    return { job, last: runFromRow(run), doneAtMs: done_at?.getTime(), failures };
  });
}

/** The newest first. */
export async function runsOf(sql: Sql, job: string, limit: number): Promise<JobRun[]> {
  const rows = await sql<RawRun[]>`
    select started_at, ended_at, outcome, detail from job_runs where job = ${job} order by run_no desc limit ${limit}`;
  return rows.map(runFromRow);
}

/** The last of each kind stays, however old. */
export async function forgetOldRuns(sql: Sql): Promise<void> {
  await sql`
    delete from job_runs where run_no in (
      select run_no from (
        select run_no, outcome, started_at,
          row_number() over (partition by job, coalesce(outcome, '') order by run_no desc) as nth
        from job_runs) as runs
      where nth > 1 and (nth > case outcome when 'done' then ${DONE_KEPT}::int else ${OTHERS_KEPT}::int end
        or started_at < clock_timestamp() - make_interval(days => ${DAYS_KEPT})))`;
}

function runFromRow({ started_at, ended_at, outcome, detail }: RawRun): JobRun {
  const ended =
    ended_at === null || outcome === null
      ? undefined
      : { atMs: ended_at.getTime(), outcome, errorCode: detail?.error_code };
  return { replica: detail?.replica ?? "", startedAtMs: started_at.getTime(), ended };
}
