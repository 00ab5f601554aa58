/** `fleetban explain`: why a prefix is listed or not, and what would take it off. */

import { humanCount, humanMoment, plain, renderTable } from "@fleetban/kit/cli-output";
import type { ExplainResponse } from "@fleetban/proto/wire/admin";
import type { Command } from "commander";
import { example, type Run } from "../run.ts";
import { actsTable } from "./kept-acts.ts";
import { listingsTable } from "./listings.ts";

const EVIDENCE_LINES_MAX = 10;

export function addExplain(program: Command, run: Run): void {
  program
    .command("explain")
    .description("why an address is listed or not, and what would take it off")
    .argument("<prefix>", "an address or network")
    .action(
      run(async (cli, prefix: string) => {
        const answer = await cli.calls.call((admin) => admin.explain, { prefix });
        cli.show(answer, () => explainText(answer, cli.nowMs));
      }),
    )
    .addHelpText("after", example("explain 8.8.8.8", "explain 2a00:1450::/32 --json"));
}

function explainText(answer: ExplainResponse, nowMs: number): string {
  const sections: (readonly [string, string])[] = [
    ["listings", answer.listings.length === 0 ? "" : listingsTable(answer.listings, nowMs)],
    [sightingsTitle(answer), answer.sightings.length === 0 ? "" : sightingsTable(answer, nowMs)],
    ["evidence", evidenceText(answer)],
    ["hits", hitsText(answer, nowMs)],
    ["strikes", answer.strikes.length === 0 ? "" : strikesTable(answer, nowMs)],
    ["bans", answer.bans.length === 0 ? "" : actsTable(answer.bans, nowMs)],
    ["pardons", answer.pardons.length === 0 ? "" : actsTable(answer.pardons, nowMs)],
    ["allowlist", answer.allowed.length === 0 ? "" : actsTable(answer.allowed, nowMs)],
    ["feeds", answer.feeds.join("\n")],
    ["prune", answer.prune],
    [judgedBy(answer), judgementText(answer)],
    [answer.state === "listed" ? "what would take it off" : "what would change that", answer.waysOff.join("\n")],
  ];
  const shown = sections.filter(([, text]) => text !== "").map(([title, text]) => `\n${title}:\n${indented(text)}`);
  return [answer.verdict, ...shown].join("\n");
}

function hitsText({ packets, lastHitAtMs }: ExplainResponse, nowMs: number): string {
  if (packets === 0) return "";
  return `${humanCount(packets)} packets dropped in the last 30 days, the last ${humanMoment(lastHitAtMs, nowMs)}`;
}

function sightingsTitle({ sightings, sightingsTotal, agents }: ExplainResponse): string {
  const newest = sightings.length < sightingsTotal ? ` (the newest ${sightings.length})` : "";
  const counted = sightingsTotal === 1 ? "1 sighting" : `${sightingsTotal} sightings`;
  return `${counted} by ${agents} ${agents === 1 ? "agent" : "agents"}${newest}`;
}

function sightingsTable({ sightings }: ExplainResponse, nowMs: number): string {
  return renderTable(
    [
      { title: "when" },
      { title: "agent" },
      { title: "source" },
      { title: "jail" },
      { title: "ports" },
      { title: "kind" },
      { title: "failures", align: "right" },
      { title: "address" },
      { title: "outcome" },
    ],
    sightings.map((one) => [
      humanMoment(one.atMs, nowMs),
      one.agent,
      one.source,
      one.jail,
      one.ports === "" ? "" : `${one.protocol} ${one.ports}`.trim(),
      one.kind,
      one.failures,
      one.address,
      one.outcome,
    ]),
  );
}

/** The newest of each agent's words, once; a terminal never sees what is no text. */
function evidenceText({ sightings }: ExplainResponse): string {
  const texts = sightings.flatMap(({ agent, evidence }) => {
    return evidence.split("\n").flatMap((line) => (line.trim() === "" ? [] : [`${plain(agent)}: ${plain(line)}`]));
  });
  return [...new Set(texts)].slice(0, EVIDENCE_LINES_MAX).join("\n");
}

function judgedBy({ policyNo }: ExplainResponse): string {
  return policyNo === 0 ? "judged by the default policy" : `judged by policy ${policyNo}`;
}

/** Each piece of evidence, the policy's lines that weigh it, and what would be without it. */
function judgementText({ evidence }: ExplainResponse): string {
  const several = new Set(evidence.map(({ list }) => list)).size > 1;
  const lines = evidence.flatMap(({ list, text, counts, without, policy }) => {
    const piece = `${several ? `${list}: ` : ""}${plain(text)}${counts ? "" : " (does not count)"}`;
    const by = policy.map(plain).join("; ");
    return [piece, ...(by === "" ? [] : [`  by ${by}`]), ...(without === "" ? [] : [`  without it: ${without}`])];
  });
  return lines.join("\n");
}

function strikesTable({ strikes }: ExplainResponse, nowMs: number): string {
  return renderTable(
    [
      { title: "strike", align: "right" },
      { title: "when" },
      { title: "until" },
      { title: "agents" },
      { title: "jails" },
      { title: "counts" },
    ],
    strikes.map((strike) => [
      strike.strikeNo,
      humanMoment(strike.struckAtMs, nowMs),
      strike.untilMs === 0 ? "open-ended" : humanMoment(strike.untilMs, nowMs),
      strike.agents.join(", "),
      strike.summary,
      strike.voided ? "no, voided" : "yes",
    ]),
  );
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}
