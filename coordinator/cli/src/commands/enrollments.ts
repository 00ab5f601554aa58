/** `fleetban enrollments`: one-time tokens by which servers become agents. */

import { humanMoment, renderTable } from "@fleetban/kit/cli-output";
import type { Command } from "commander";
import { durationSeconds, wholeNumber } from "../arguments.ts";
import { example, type Run } from "../run.ts";
import { shellWord } from "../shell-word.ts";

const VALID_SECONDS = 86_400;

export function addEnrollments(program: Command, run: Run): void {
  const enrollments = program
    .command("enrollments")
    .alias("enrollment")
    .description("tokens by which servers become agents");

  enrollments
    .command("create")
    .description("make a token; it is shown once")
    .option("--uses <count>", "how many servers may use it", wholeNumber, 1)
    .option("--valid <duration>", "how long it is good (default: 24h)", durationSeconds)
    .option("--group <name>", "the agents' group", "default")
    .option("--reason <text>", "why, for the audit log", "")
    .action(
      run(async (cli, options: { uses: number; valid?: number; group: string; reason: string }) => {
        const { uses, valid, group, reason } = options;
        const request = { uses, validSeconds: valid ?? VALID_SECONDS, group, reason };
        const answer = await cli.calls.call((admin) => admin.createEnrollment, request);
        cli.show(answer, () => `fleetban-agent enroll ${shellWord(answer.token)}`);
        const times = answer.uses === 1 ? "once" : `${answer.uses} times`;
        cli.note(
          `type that on the server; the token is good ${times}, and ends ${humanMoment(answer.endsAtMs, cli.nowMs)}`,
        );
      }),
    )
    .addHelpText("after", example("enrollments create", "enrollments create --uses 20 --valid 7d --group web"));

  enrollments
    .command("list")
    .description("the newest tokens; those that are over included")
    .action(
      run(async (cli) => {
        const { enrollments: all } = await cli.calls.call((admin) => admin.listEnrollments, {});
        const columns = [
          { title: "number", align: "right" },
          { title: "state" },
          { title: "uses left", align: "right" },
          { title: "group" },
          { title: "made" },
          { title: "ends" },
          { title: "author" },
        ] as const;
        cli.show(all, () =>
          renderTable(
            columns,
            all.map((one) => [
              one.enrollmentNo,
              one.state,
              one.usesLeft,
              one.group,
              humanMoment(one.createdAtMs, cli.nowMs),
              humanMoment(one.endsAtMs, cli.nowMs),
              one.author,
            ]),
            "no enrollments; make a token: fleetban enrollments create",
          ),
        );
      }),
    );

  enrollments
    .command("revoke")
    .description("make a token useless; agents that have used it stay")
    .argument("<number>", "as `enrollments list` shows it", wholeNumber)
    .option("--reason <text>", "why, for the audit log", "")
    .action(
      run(async (cli, enrollmentNo: number, { reason }: { reason: string }) => {
        const answer = await cli.calls.call((admin) => admin.revokeEnrollment, { enrollmentNo, reason });
        cli.show(answer, () => `enrollment ${enrollmentNo} is revoked`);
      }),
    )
    .addHelpText("after", example("enrollments revoke 3"));
}
