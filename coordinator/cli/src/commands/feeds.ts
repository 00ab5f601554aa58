/** `fleetban feeds`: outside lists. */

import { renderTable } from "@fleetban/kit/cli-output";
import type { Command } from "commander";
import { example, type Run } from "../run.ts";
import { FEED_COLUMNS, feedRow } from "../show-feeds.ts";

const FETCH_WITHIN_MS = 180_000; // a list of 500,000 is listed in slices

export function addFeeds(program: Command, run: Run): void {
  const feeds = program.command("feeds").alias("feed").description("outside lists, such as AbuseIPDB's");

  feeds
    .command("list")
    .description("how current they are, and their quotas")
    .action(
      run(async (cli) => {
        const answer = await cli.calls.call((admin) => admin.listFeeds, {});
        const rows = () => answer.feeds.map((feed) => feedRow(feed, cli.nowMs));
        cli.show(answer.feeds, () => renderTable(FEED_COLUMNS, rows()));
        if (answer.feeds.length === 0) cli.note("none is configured; see feeds.abuseipdb in coordinator.yaml");
      }),
    );

  feeds
    .command("fetch")
    .description("fetch one now, within its quota")
    .argument("<feed>", "its name")
    .action(
      run(async (cli, feed: string) => {
        const answer = await cli.calls.call((admin) => admin.fetchFeed, { feed }, { withinMs: FETCH_WITHIN_MS });
        cli.show(answer, () => `${feed}: ${answer.outcome}`);
      }),
    )
    .addHelpText("after", example("feeds fetch abuseipdb"));
}
