/** `fleetban reports`: what goes back to AbuseIPDB. */

import { humanMoment, plain, renderFacts, renderTable } from "@fleetban/kit/cli-output";
import type { GetReportsStatusResponse, NamedCount, PreviewReportsResponse, Report } from "@fleetban/proto/wire/admin";
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { example, type Run } from "../run.ts";

const PREVIEW_WITHIN_MS = 180_000; // judges all that was sighted within days: a hundred thousand addresses in half a minute
const LEFT_OUT: Readonly<Record<string, string>> = {
  "not-listed": "nothing new, or not enough to list them",
  "unmapped-jail": "no category for their jail",
  "never-reported": "their jail is never reported",
  udp: "over UDP: the source may be forged",
  "too-few-agents": "sighted by too few servers",
  "network-reported": "another address of its IPv6 /64 stands for it",
  "special-purpose": "no public address",
  "own-address": "an address of the fleet",
  allowed: "on the allowlist",
  pardoned: "pardoned",
};

export function addReports(program: Command, run: Run): void {
  const reports = program.command("reports").alias("report").description("what is reported to AbuseIPDB");

  reports
    .command("preview")
    .description("what would be reported by the policy in force, word for word; sends nothing")
    .argument("[address]", "one address; by default all that were sighted lately", "")
    .option("--limit <count>", "at most so many", wholeNumber, 20)
    .action(
      run(async (cli, address: string, { limit }: { limit: number }) => {
        const request = { address, limit };
        const answer = await cli.calls.call((admin) => admin.previewReports, request, { withinMs: PREVIEW_WITHIN_MS });
        cli.show(answer, () => previewText(answer));
      }),
    )
    .addHelpText("after", example("reports preview", "reports preview 8.8.8.8", "reports preview --limit 100 --json"));

  reports
    .command("list")
    .description("those that are planned, and what became of the others, newest first")
    .option("--state <state>", "planned, sending, sent, refused or unknown", "")
    .option("--limit <count>", "at most so many", wholeNumber, 50)
    .action(
      run(async (cli, { state, limit }: { state: string; limit: number }) => {
        const answer = await cli.calls.call((admin) => admin.listReports, { state, limit });
        cli.show(answer.reports, () => reportsTable(answer.reports, cli.nowMs));
      }),
    )
    .addHelpText("after", example("reports list", "reports list --state refused", "reports list --json"));

  reports
    .command("status")
    .description("whether it is on, and how much of the quotas is left")
    .action(
      run(async (cli) => {
        const status = await cli.calls.call((admin) => admin.getReportsStatus, {});
        cli.show(status, () => statusText(status, cli.nowMs));
      }),
    )
    .addHelpText("after", example("reports status"));
}

function previewText({ reports, total, leftOut, unmappedJails, mode }: PreviewReportsResponse): string {
  const shown = reports.map(
    ({ address, categoryNames, worth, comment }) =>
      `${address}  worth ${Math.round(worth)}, as ${categoryNames.join(", ")}\n  ${plain(comment)}`,
  );
  const more = total > reports.length ? [`… and ${total - reports.length} more`] : [];
  const none = total === 0 ? ["nothing would be reported"] : [];
  const left = leftOut.map(({ name, count }) => `left out: ${addresses(count)}, ${LEFT_OUT[name] ?? name}`);
  const jails = unmappedJails.map(({ name, count }) => `  ${plain(name)}: ${addresses(count)}; map it in report.jails`);
  const off = mode === "off" ? ["reporting is off: the policy's report.mode switches it on"] : [];
  return [...shown, ...more, ...none, ...left, ...jails, ...off].join("\n");
}

function addresses(count: number): string {
  return `${count} ${count === 1 ? "address" : "addresses"}`;
}

function reportsTable(reports: readonly Report[], nowMs: number): string {
  return renderTable(
    [
      { title: "number", align: "right" },
      { title: "address" },
      { title: "state" },
      { title: "worth", align: "right" },
      { title: "as" },
      { title: "sighted" },
      { title: "sent" },
      { title: "answer" },
    ],
    reports.map((one) => [
      one.reportNo,
      one.address,
      one.bulk && one.state !== "planned" ? `${one.state} in bulk` : one.state,
      Math.round(one.worth),
      one.categoryNames.join(", "),
      humanMoment(one.sightedAtMs, nowMs),
      humanMoment(one.sentAtMs, nowMs),
      one.answer,
    ]),
    "no reports",
  );
}

function statusText(status: GetReportsStatusResponse, nowMs: number): string {
  const { mode, hasKey, nextBulkAtMs } = status;
  const facts = renderFacts([
    ["reporting", mode === "send" ? "on" : "off; the policy's report.mode switches it on"],
    ["key", hasKey ? "(hidden)" : "(none); see reports.abuseipdb.key in coordinator.yaml"],
    ["reports", countsText(status.reports)],
    ["next bulk report", nextBulkAtMs === 0 ? undefined : humanMoment(nextBulkAtMs, nowMs)],
  ]);
  const quotas = renderTable(
    [
      { title: "calls" },
      { title: "left", align: "right" },
      { title: "a day", align: "right" },
      { title: "last" },
      { title: "nothing until" },
      { title: "problem" },
    ],
    status.quotas.map((quota) => [
      quota.endpoint,
      quota.callsLeft,
      quota.callsADay,
      humanMoment(quota.lastCallAtMs, nowMs),
      humanMoment(quota.blockedUntilMs, nowMs),
      quota.problem,
    ]),
  );
  return `${facts}\n\n${quotas}`;
}

function countsText(counts: readonly NamedCount[]): string {
  const there = counts.filter(({ count }) => count > 0);
  return there.length === 0 ? "none yet" : there.map(({ name, count }) => `${count} ${name}`).join(", ");
}
