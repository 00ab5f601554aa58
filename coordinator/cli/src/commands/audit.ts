/** `fleetban audit`: who did what, when and why. */

import { plain, renderTable, utcTime } from "@fleetban/kit/cli-output";
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { CliError } from "../cli-error.ts";
import { example, type Run } from "../run.ts";

const LIMIT = 100;

export function addAudit(program: Command, run: Run): void {
  const audit = program.command("audit").description("what operators did");
  audit
    .command("list")
    .description("the newest records; fails when the chain of their hashes is broken")
    .option("--limit <count>", "at most so many", wholeNumber, LIMIT)
    .action(
      run(async (cli, { limit }: { limit: number }) => {
        const answer = await cli.calls.call((admin) => admin.listAudit, { limit });
        cli.show(answer, () =>
          renderTable(
            [
              { title: "number", align: "right" },
              { title: "when (UTC)" },
              { title: "who" },
              { title: "act" },
              { title: "what" },
              { title: "reason" },
            ],
            answer.records.map((one) => [
              one.auditNo,
              utcTime(one.atMs),
              plain(one.actor),
              one.act,
              one.subject,
              one.reason,
            ]),
            "no operator has done anything yet",
          ),
        );
        if (answer.brokenAuditNo !== 0) {
          throw new CliError(
            "audit-broken",
            `audit record ${answer.brokenAuditNo}: was changed, or one beside it is missing`,
            {
              hint: "somebody has written to the database past fleetban; compare it with a backup",
            },
          );
        }
      }),
    )
    .addHelpText("after", example("audit list --limit 20"));
}
