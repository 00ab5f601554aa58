/** `fleetban feeds`: outside lists. */

import { renderTable } from "@fleetban/kit/cli-output";
import type { FetchFeedResponse } from "@fleetban/proto/wire/admin";
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { CliError } from "../cli-error.ts";
import { example, type Run } from "../run.ts";
import { feedText, presetTable } from "../show-feed.ts";
import { collisionLines, FEED_COLUMNS, feedRow, valueTable } from "../show-feeds.ts";

const VALUE_DAYS = 30;
const FETCH_WITHIN_MS = 180_000; // a list of 500,000 is listed in slices

export function addFeeds(program: Command, run: Run): void {
  const feeds = program.command("feeds").alias("feed").description("outside lists, such as AbuseIPDB's");

  feeds
    .command("list")
    .description("how current they are, their quotas, and what each is worth")
    .option("--days <count>", `worth by the hits of so many days (default: ${VALUE_DAYS})`, wholeNumber)
    .action(
      run(async (cli, { days = VALUE_DAYS }: { days?: number }) => {
        const answer = await cli.calls.call((admin) => admin.listFeeds, { valueDays: days });
        const table = () =>
          renderTable(
            FEED_COLUMNS,
            answer.feeds.map((feed) => feedRow(feed, cli.nowMs)),
            "the policy in force defines no feed; see: fleetban feeds presets",
          );
        const value = () => (answer.feeds.length === 0 ? "" : `\n\n${valueTable(answer.feeds, cli.nowMs)}`);
        cli.show(answer.feeds, () => `${table()}${collisionLines(answer.feeds)}${value()}`);
      }),
    )
    .addHelpText("after", example("feeds list", "feeds list --days 90", "feeds list --json"));

  feeds
    .command("show")
    .description("one feed: where it is, its last fetches, and the lines that were left out")
    .argument("<feed>", "its name")
    .option("--limit <count>", "so many fetches (default: 10)", wholeNumber)
    .action(
      run(async (cli, feed: string, { limit = 0 }: { limit?: number }) => {
        const answer = await cli.calls.call((admin) => admin.showFeed, { feed, limit });
        cli.show(answer, () => feedText(answer, cli.nowMs));
      }),
    )
    .addHelpText("after", example("feeds show abuseipdb", "feeds show spamhaus-drop-v4 --limit 50"));

  feeds
    .command("presets")
    .description("lists that a policy can have by name alone, with their intervals and terms")
    .action(
      run(async (cli) => {
        const { presets } = await cli.calls.call((admin) => admin.listFeedPresets, {});
        cli.show(presets, () => presetTable(presets));
      }),
    )
    .addHelpText("after", example("feeds presets", "feeds presets --json"));

  feeds
    .command("fetch")
    .description("fetch one now, within its quota and its publisher's pace")
    .argument("<feed>", "its name")
    .action(
      run(async (cli, feed: string) => {
        const answer = await cli.calls.call((admin) => admin.fetchFeed, { feed }, { withinMs: FETCH_WITHIN_MS });
        cli.show(answer, () => `${feed}: ${answer.outcome}`);
        assertNotHeld(feed, answer);
      }),
    )
    .addHelpText("after", example("feeds fetch abuseipdb"));
}

/** A list that is held is in force nowhere until somebody says so. */
function assertNotHeld(feed: string, { kind, holdNo }: FetchFeedResponse): void {
  if (kind !== "held" && (kind !== "unchanged" || holdNo === 0)) return;
  throw new CliError("held", `feed ${feed}: its list waits for your word, as hold ${holdNo}; the one before stays`, {
    hint: `fleetban holds show ${holdNo}, then: fleetban holds approve ${holdNo}, or: fleetban holds reject ${holdNo}`,
    exitCode: 3,
  });
}
