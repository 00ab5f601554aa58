/** `fleetban listings` and `fleetban lists`: what is listed. */

import { humanMoment, renderTable } from "@fleetban/kit/cli-output";
import type { Listing } from "@fleetban/proto/wire/admin";
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import type { Cli } from "../cli.ts";
import { example, type Run } from "../run.ts";
import { listsText } from "./status.ts";

interface ListingsOptions {
  readonly list?: string;
  readonly limit?: number;
  readonly all: boolean;
}

/** What somebody reads on a terminal; a program gets everything. */
const LIMIT = 100;

export function addListings(program: Command, run: Run): void {
  const listings = program.command("listings").alias("listing").description("prefixes on the lists");
  listings
    .command("list")
    .description("listings of the deny lists, or of one list")
    .argument("[prefix]", "only those inside or around this prefix")
    .option("--list <name>", "fleet, feeds or exempt")
    .option("--limit <count>", `at most so many (default: ${LIMIT})`, wholeNumber)
    .option("--all", "without a limit", false)
    .action(run((cli, prefix: string | undefined, options: ListingsOptions) => showListings(cli, prefix, options)))
    .addHelpText(
      "after",
      example("listings list", "listings list 8.8.0.0/16", "listings list --list exempt --all --json"),
    );

  const lists = program.command("lists").alias("list").description("the lists themselves");
  lists
    .command("list")
    .description("their revisions and sizes")
    .action(
      run(async (cli) => {
        const answer = await cli.calls.call((admin) => admin.listLists, {});
        cli.show(answer.lists, () => listsText(answer.lists, cli.nowMs));
      }),
    );
}

async function showListings(cli: Cli, prefix: string | undefined, options: ListingsOptions): Promise<void> {
  const limit = options.all ? 0 : (options.limit ?? LIMIT);
  const request = { list: options.list ?? "", prefix: prefix ?? "", limit };
  const listings: Listing[] = [];
  for await (const page of cli.calls.pages((admin) => admin.listListings, request)) listings.push(...page.listings);
  cli.show(listings, () => (listings.length === 0 ? noneText(request) : listingsTable(listings, cli.nowMs)));
  if (limit > 0 && listings.length === limit) cli.note(`the first ${limit}; see more with --limit or --all`);
}

function noneText({ list, prefix }: { list: string; prefix: string }): string {
  const where = list === "" ? "" : ` on ${list}`;
  return prefix === "" ? `no listings${where}` : `no listings${where} inside or around ${prefix}`;
}

export function listingsTable(listings: readonly Listing[], nowMs: number): string {
  return renderTable(
    [
      { title: "list" },
      { title: "prefix" },
      { title: "until" },
      { title: "rank", align: "right" },
      { title: "listed" },
      { title: "reasons" },
    ],
    listings.map((listing) => [
      listing.list,
      listing.prefix,
      listing.untilMs === 0 ? "open-ended" : humanMoment(listing.untilMs, nowMs),
      listing.rank,
      humanMoment(listing.listedAtMs, nowMs),
      listing.reasons.join(", "),
    ]),
  );
}
