/** `fleetban holds`: changes that a guardrail stopped until somebody says yes or no. */

import { humanMoment, plain, renderTable } from "@fleetban/kit/cli-output";
import type { Hold } from "@fleetban/proto/wire/admin";
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { example, type Run } from "../run.ts";

function holdText(hold: Hold, nowMs: number): string {
  const { holdNo, subject, reason, resolution, resolvedBy, resolvedAtMs, openedAtMs, details } = hold;
  const by = resolvedBy === "" ? "" : ` by ${plain(resolvedBy)}`;
  const state = resolution === "" ? "open" : `${resolution} ${humanMoment(resolvedAtMs, nowMs)}${by}`;
  return [
    `hold ${holdNo}: ${plain(subject)}, ${state}`,
    `held ${humanMoment(openedAtMs, nowMs)} because ${plain(reason)}`,
    ...details.map((line) => `  ${plain(line)}`),
  ].join("\n");
}

const RESOLVE_WITHIN_MS = 180_000;

export function addHolds(program: Command, run: Run): void {
  const holds = program.command("holds").alias("hold").description("changes that wait for your word");

  holds
    .command("list")
    .description("those that are open")
    .option("--resolved", "also those that are over", false)
    .action(
      run(async (cli, { resolved }: { resolved: boolean }) => {
        const answer = await cli.calls.call((admin) => admin.listHolds, { resolved });
        cli.show(answer.holds, () =>
          renderTable(
            [
              { title: "number", align: "right" },
              { title: "what" },
              { title: "opened" },
              { title: "resolution" },
              { title: "reason" },
            ],
            answer.holds.map((hold) => [
              hold.holdNo,
              hold.subject,
              humanMoment(hold.openedAtMs, cli.nowMs),
              hold.resolution === "" ? "open" : `${hold.resolution} ${humanMoment(hold.resolvedAtMs, cli.nowMs)}`,
              hold.reason,
            ]),
            resolved ? "no holds" : "no hold is open",
          ),
        );
      }),
    );

  holds
    .command("show")
    .description("what it would change, and what each answer does")
    .argument("<number>", "as `holds list` shows it", wholeNumber)
    .action(
      run(async (cli, holdNo: number) => {
        const { hold } = await cli.calls.call((admin) => admin.showHold, { holdNo });
        cli.show(hold, () => (hold === undefined ? "no hold" : holdText(hold, cli.nowMs)));
      }),
    )
    .addHelpText("after", example("holds show 2"));

  for (const [verb, approve] of [
    ["approve", true],
    ["reject", false],
  ] as const) {
    holds
      .command(verb)
      .description(approve ? "let the change in" : "throw the change away")
      .argument("<number>", "as `holds list` shows it", wholeNumber)
      .option("--reason <text>", "why, for the audit log", "")
      .action(
        run(async (cli, holdNo: number, { reason }: { reason: string }) => {
          const request = { holdNo, approve, reason };
          const answer = await cli.calls.call((admin) => admin.resolveHold, request, { withinMs: RESOLVE_WITHIN_MS });
          cli.show(answer, () => answer.done.join("\n"));
        }),
      )
      .addHelpText("after", example(`holds ${verb} 2 --reason 'looked at it'`));
  }
}
