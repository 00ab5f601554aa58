/** `fleetban bans`, `pardons`, `allowlist`: what the everyday acts have made, and taking it back. */

import { humanMoment, renderTable } from "@fleetban/kit/cli-output";
import type {
  Act,
  AdminClient,
  ChangeResponse,
  ListActsRequest,
  ListActsResponse,
  RemoveActRequest,
} from "@fleetban/proto/wire/admin";
import type { Command } from "commander";
import { durationSeconds } from "../arguments.ts";
import type { Method } from "../cli.ts";
import { example, type Run } from "../run.ts";
import { showChange } from "../show-change.ts";
import { deadline, waitMsOf } from "./acts.ts";

interface Noun {
  readonly plural: string;
  /** For people, when there are none. */
  readonly none: string;
  readonly singular?: string;
  readonly description: string;
  readonly list: (admin: AdminClient) => Method<ListActsRequest, ListActsResponse>;
  readonly remove: (admin: AdminClient) => Method<RemoveActRequest, ChangeResponse>;
}

const NOUNS: readonly Noun[] = [
  {
    plural: "bans",
    none: "no bans",
    description: "what `fleetban ban` has made",
    list: (admin) => admin.listBans,
    remove: (admin) => admin.removeBan,
  },
  {
    plural: "pardons",
    none: "no pardons",
    singular: "pardon",
    description: "what `fleetban unban` has made",
    list: (admin) => admin.listPardons,
    remove: (admin) => admin.removePardon,
  },
  {
    plural: "allowlist",
    none: "nothing is on the allowlist",
    description: "what `fleetban allow` has made",
    list: (admin) => admin.listAllowlist,
    remove: (admin) => admin.removeAllowed,
  },
];

export function addKeptActs(program: Command, run: Run): void {
  for (const noun of NOUNS) addNoun(program, run, noun);
}

/** `ban` is the act itself, so `bans` has no singular. */
function addNoun(program: Command, run: Run, noun: Noun): void {
  const group = program.command(noun.plural).description(noun.description);
  if (noun.singular !== undefined) group.alias(noun.singular);

  group
    .command("list")
    .description("those in force")
    .option("--ended", "also those that are over", false)
    .action(
      run(async (cli, { ended }: { ended: boolean }) => {
        const { acts } = await cli.calls.call(noun.list, { ended });
        cli.show(acts, () => (acts.length === 0 ? noun.none : actsTable(acts, cli.nowMs)));
      }),
    );

  group
    .command("remove")
    .description("end one before its time")
    .argument("<what>", "its number or prefix")
    .option("--reason <text>", "why, for the audit log", "")
    .option("--wait [duration]", "wait until every agent has it in its kernel (default: 10s)", durationSeconds)
    .action(
      run(async (cli, what: string, { reason, wait }: { reason: string; wait?: number | true }) => {
        const waitMs = waitMsOf(wait);
        const change = await cli.calls.call(noun.remove, { what, reason, waitMs }, deadline({ waitMs }));
        showChange(cli, change, { waitMs });
      }),
    )
    .addHelpText("after", example(`${noun.plural} remove 3`, `${noun.plural} remove 8.8.8.8`));
}

export function actsTable(acts: readonly Act[], nowMs: number): string {
  return renderTable(
    [
      { title: "number", align: "right" },
      { title: "prefix" },
      { title: "begun" },
      { title: "until" },
      { title: "author" },
      { title: "reason" },
    ],
    acts.map((act) => [
      act.actNo,
      act.prefix,
      humanMoment(act.begunAtMs, nowMs),
      act.endedAtMs > 0
        ? `ended ${humanMoment(act.endedAtMs, nowMs)}`
        : act.untilMs === 0
          ? "open-ended"
          : humanMoment(act.untilMs, nowMs),
      act.author,
      reasonText(act),
    ]),
  );
}

function reasonText({ reason, local, pack }: Act): string {
  const notes = [...(local ? ["(local)"] : []), ...(pack === "" ? [] : [`(pack ${pack})`])];
  return [reason, ...notes].join(" ").trim();
}
