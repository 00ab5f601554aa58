/** `fleetban hits`: what the fleet's kernels dropped. */

import { humanCount, humanMoment, renderTable } from "@fleetban/kit/cli-output";
import type { ListHitsResponse } from "@fleetban/proto/wire/admin";
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { example, type Run } from "../run.ts";

interface HitsOptions {
  readonly days?: number;
  readonly limit?: number;
  readonly list?: string;
}

export function addHits(program: Command, run: Run): void {
  const hits = program.command("hits").alias("hit").description("packets that the fleet's kernels dropped");
  hits
    .command("list")
    .description("the most hit listings, by packets")
    .option("--days <count>", "of so many days, today included (default: 7)", wholeNumber)
    .option("--limit <count>", "at most so many (default: 20)", wholeNumber)
    .option("--list <name>", "of one list only")
    .action(
      run(async (cli, { days = 0, limit = 0, list = "" }: HitsOptions) => {
        const answer = await cli.calls.call((admin) => admin.listHits, { days, limit, list });
        cli.show(answer, () => hitsText(answer, cli.nowMs));
      }),
    )
    .addHelpText("after", example("hits list", "hits list --days 30 --list feeds --limit 100", "hits list --json"));
}

function hitsText({ days, prefixes, lists }: ListHitsResponse, nowMs: number): string {
  const table = renderTable(
    [
      { title: "prefix" },
      { title: "list" },
      { title: "packets", align: "right" },
      { title: "bytes", align: "right" },
      { title: "agents", align: "right" },
      { title: "last" },
      { title: "listed" },
    ],
    prefixes.map((hit) => [
      hit.prefix,
      hit.list,
      humanCount(hit.packets),
      humanCount(hit.bytes),
      hit.agents,
      humanMoment(hit.lastAtMs, nowMs),
      hit.listed ? "yes" : "no",
    ]),
    "no listing was told of by name",
  );
  const span = `${days} ${days === 1 ? "day" : "days"}, packets dropped`;
  if (lists.length === 0) return `${span}: none; agents whose backend counts tell of theirs every few minutes`;
  const dropped = lists.map(({ list, packets }) => `${humanCount(packets)} by ${list}`).join(", ");
  return `${table}\n\n${span}: ${dropped}`;
}
