/** `fleetban status`: the whole on one screen. */

import { humanCount, humanMoment, humanSeconds, renderTable } from "@fleetban/kit/cli-output";
import type { AgentStatus, FeedStatus, GetStatusResponse, ListStatus } from "@fleetban/proto/wire/admin";
import type { Command } from "commander";
import { example, type Run } from "../run.ts";
import { AGENT_COLUMNS, agentRow, NO_AGENTS } from "../show-agents.ts";
import { FEED_COLUMNS, feedRow } from "../show-feeds.ts";
import { failingText } from "../show-jobs.ts";

const DAYS_SHOWN = 7;
const AGENTS_SHOWN = 40;

export function addStatus(program: Command, run: Run): void {
  program
    .command("status")
    .description("lists, agents, feeds, and what is wrong (the default)")
    .action(
      run(async (cli) => {
        const status = await cli.calls.call((admin) => admin.getStatus, {});
        cli.show(status, () => statusText(status, cli.nowMs));
      }),
    )
    .addHelpText("after", example("status", "status --json"));
}

function statusText(status: GetStatusResponse, nowMs: number): string {
  const up = humanSeconds(Math.max(0, (nowMs - status.startedAtMs) / 1_000));
  const sections = [
    `fleetban ${status.programVersion} on ${status.replica}, store ${status.store}, jobs by ${status.jobs}, up ${up}`,
    ...warningLines(status),
    ...status.failingJobs.map((job) => failingText(job, nowMs)),
    `\n${listsText(status.lists, nowMs)}`,
    `\n${agentsText(status.agents, nowMs)}`,
    ...(status.feeds.length === 0 ? [] : [`\n${feedsText(status.feeds, nowMs)}`]),
    `\n${sightingsText(status)}`,
  ];
  return sections.join("\n");
}

function warningLines({ warnings, holds }: GetStatusResponse): string[] {
  const lines = warnings.map(({ code, subject, text }) => {
    return `warning: ${code}${subject === "" ? "" : ` (${subject})`}: ${text}`;
  });
  if (holds > 0) lines.push(`${holds} ${holds === 1 ? "hold waits" : "holds wait"} for you: fleetban holds list`);
  return lines;
}

export function listsText(lists: readonly ListStatus[], nowMs: number): string {
  return renderTable(
    [
      { title: "list" },
      { title: "effect" },
      { title: "listings", align: "right" },
      { title: "revision", align: "right" },
      { title: "changed" },
    ],
    lists.map(({ name, effect, listings, revision, committedAtMs }) => {
      return [name, effect, humanCount(listings), revision, humanMoment(committedAtMs, nowMs)];
    }),
  );
}

function agentsText(agents: readonly AgentStatus[], nowMs: number): string {
  if (agents.length === 0) return NO_AGENTS;
  // The ones with trouble first, because a large fleet is cut off below.
  const trouble = ({ state, warnables }: AgentStatus) => (state === "online" && warnables.length === 0 ? 1 : 0);
  const sorted = [...agents].sort((a, b) => trouble(a) - trouble(b) || a.name.localeCompare(b.name));
  const table = renderTable(
    AGENT_COLUMNS,
    sorted.slice(0, AGENTS_SHOWN).map((agent) => agentRow(agent, nowMs)),
  );
  const more = agents.length - AGENTS_SHOWN;
  return more > 0 ? `${table}\n… and ${more} more: fleetban agents list` : table;
}

function feedsText(feeds: readonly FeedStatus[], nowMs: number): string {
  return renderTable(
    FEED_COLUMNS,
    feeds.map((feed) => feedRow(feed, nowMs)),
  );
}

function sightingsText({ sightingsToday, localBans }: GetStatusResponse): string {
  const days = localBans.slice(0, DAYS_SHOWN).map(({ day, count }) => `${day.slice(5)}: ${humanCount(count)}`);
  const bans = days.length === 0 ? "" : `; bans by the servers themselves, by day: ${days.join(", ")}`;
  return `${humanCount(sightingsToday)} ${sightingsToday === 1 ? "sighting" : "sightings"} today${bans}`;
}
