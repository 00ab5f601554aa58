/** `fleetban jobs`: work that recurs, and what came of it. */

import { renderTable } from "@fleetban/kit/cli-output";
import type { Command } from "commander";
import { example, type Run } from "../run.ts";
import { JOB_COLUMNS, jobRow, RUN_COLUMNS, runRow } from "../show-jobs.ts";

export function addJobs(program: Command, run: Run): void {
  const jobs = program.command("jobs").alias("job").description("work that recurs: its last runs, and what failed");

  jobs
    .command("list")
    .description("each with its last run, and when it was last done")
    .action(
      run(async (cli) => {
        const answer = await cli.calls.call((admin) => admin.listJobs, { job: "" });
        cli.show(answer.jobs, () =>
          renderTable(
            JOB_COLUMNS,
            answer.jobs.map((job) => jobRow(job, cli.nowMs)),
            "no job has run yet",
          ),
        );
      }),
    );

  jobs
    .command("show")
    .description("the last runs of one")
    .argument("<job>", "as `jobs list` shows it")
    .action(
      run(async (cli, job: string) => {
        const answer = await cli.calls.call((admin) => admin.listJobs, { job });
        cli.show(answer.runs, () =>
          renderTable(
            RUN_COLUMNS,
            answer.runs.map((one) => runRow(one, cli.nowMs)),
          ),
        );
      }),
    )
    .addHelpText("after", example("jobs show feeds"));
}
