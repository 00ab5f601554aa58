/** Work that recurs, as operators see it. */
import type {
  JobRun as JobRunMessage,
  JobStatus as JobStatusMessage,
  ListJobsRequest,
  ListJobsResponse,
} from "@fleetban/proto/wire/admin";
import { type JobRun, type JobStatus, jobStatuses, runsOf } from "../jobs/job-runs.ts";
import type { Sql } from "../store/sql.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

const RUNS_SHOWN = 30;

export async function listJobs({ store }: AdminParts, { job }: ListJobsRequest): Promise<ListJobsResponse> {
  const statuses = await jobStatuses(store.sql);
  const named = job === "" ? statuses : statuses.filter((status) => status.job === job);
  if (named.length === 0 && job !== "") {
    throw new AdminError("not-found", `job ${job}: is not known`, { hint: "`fleetban jobs list` shows their names" });
  }
  const runs = job === "" ? [] : await runsOf(store.sql, job, RUNS_SHOWN);
  return { jobs: named.map(statusMessage), runs: runs.map(runMessage) };
}

/** Those whose last run failed. */
export async function failingJobs(sql: Sql): Promise<JobStatusMessage[]> {
  const statuses = await jobStatuses(sql);
  return statuses.filter(({ last }) => last.ended?.outcome === "failed").map(statusMessage);
}

function statusMessage({ job, last, doneAtMs, failures }: JobStatus): JobStatusMessage {
  return { job, last: runMessage(last), doneAtMs: doneAtMs ?? 0, failures };
}

function runMessage({ replica, startedAtMs, ended }: JobRun): JobRunMessage {
  return {
    replica,
    startedAtMs,
    endedAtMs: ended?.atMs ?? 0,
    outcome: ended?.outcome ?? "",
    errorCode: ended?.errorCode ?? "",
  };
}
