/** `fleetban packs`: prefixes that the policy chooses never to list, such as public resolvers. */

import { humanCount, humanMoment, plain, renderFacts, renderTable } from "@fleetban/kit/cli-output";
import type { Pack } from "@fleetban/proto/wire/admin";
import type { Command } from "commander";
import { example, type Run } from "../run.ts";

export function addPacks(program: Command, run: Run): void {
  const packs = program.command("packs").alias("pack").description("prefixes that the policy chooses never to list");

  packs
    .command("list")
    .description("those that there are, as of when, and which are in force")
    .action(
      run(async (cli) => {
        const answer = await cli.calls.call((admin) => admin.listPacks, {});
        cli.show(answer.packs, () =>
          renderTable(
            [
              { title: "pack" },
              { title: "what" },
              { title: "prefixes", align: "right" },
              { title: "date" },
              { title: "state" },
            ],
            answer.packs.map((pack) => [
              pack.name,
              pack.title,
              humanCount(pack.prefixes),
              pack.date,
              stateText(pack, cli.nowMs),
            ]),
            "no packs",
          ),
        );
      }),
    )
    .addHelpText("after", example("packs list"));

  packs
    .command("show")
    .description("where it comes from, and its prefixes")
    .argument("<name>", "as `packs list` shows it")
    .action(
      run(async (cli, name: string) => {
        const answer = await cli.calls.call((admin) => admin.showPack, { name });
        const { pack, prefixes } = answer;
        cli.show(answer, () => (pack === undefined ? "no pack" : packText(pack, prefixes, cli.nowMs)));
      }),
    )
    .addHelpText("after", example("packs show googlebot", "packs show public-resolvers --json"));
}

/** What differs from the file is news: a newer pack is in force within a minute. */
function stateText({ chosen, date, dateInForce, appliedAtMs }: Pack, nowMs: number): string {
  if (dateInForce === "") return chosen ? "chosen, not in force yet" : "not chosen";
  const since = `in force since ${humanMoment(appliedAtMs, nowMs)}`;
  const of = dateInForce === date ? "" : ` (of ${dateInForce})`;
  return chosen ? `${since}${of}` : `${since}${of}, not chosen any more`;
}

function packText(pack: Pack, prefixes: readonly string[], nowMs: number): string {
  const facts = renderFacts([
    ["pack", pack.name],
    ["what", plain(pack.title)],
    ["source", plain(pack.source)],
    ["date", pack.date],
    ["terms", plain(pack.terms)],
    ["note", plain(pack.note)],
    ["state", stateText(pack, nowMs)],
  ]);
  return `${facts}\n\n${prefixes.join("\n")}`;
}
