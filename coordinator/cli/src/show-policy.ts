/** A plan as an operator reads it before he says yes, and policies as rows of a table. */
import { type Column, humanCount, humanMoment, renderFacts, renderTable, utcTime } from "@fleetban/kit/cli-output";
import type { PlannedChange, PolicyPlan, PolicyStatus } from "@fleetban/proto/wire/admin";

export function planText(plan: PolicyPlan, nowMs: number): string {
  const days = `${plan.days} ${plan.days === 1 ? "day" : "days"}`;
  const read = `${days} replayed: ${count(plan.sightings, "sighting")} of ${count(plan.prefixes, "prefix", "prefixes")}`;
  const strikes = `strikes in them: ${humanCount(plan.strikesBefore)} made, ${humanCount(plan.strikesAfter)} by this policy`;
  return [
    `${read}\n${strikes}`,
    listsTable(plan),
    changesTable(plan, nowMs),
    collisionText(plan),
    plan.unknown.map((text) => `unknown: ${text}`).join("\n"),
    plan.wide.map((text) => `wide: ${text}`).join("\n"),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function listsTable({ lists }: PolicyPlan): string {
  const right = "right" as const;
  return renderTable(
    [
      { title: "list" },
      { title: "in force", align: right },
      { title: "added", align: right },
      { title: "removed", align: right },
      { title: "altered", align: right },
    ],
    lists.map(({ name, listings, added, removed, altered }) => [
      name,
      ...[listings, added, removed, altered].map(humanCount),
    ]),
    "no list would change",
  );
}

function changesTable({ changes, lists }: PolicyPlan, nowMs: number): string {
  if (changes.length === 0) return "";
  const all = lists.reduce((sum, { added, removed, altered }) => sum + added + removed + altered, 0);
  const table = renderTable(
    [
      { title: "change" },
      { title: "list" },
      { title: "prefix" },
      { title: "now" },
      { title: "then" },
      { title: "because" },
    ],
    changes.map((change) => [
      change.kind,
      change.list,
      change.prefix,
      change.kind === "add" ? undefined : endText(change.beforeUntilMs, change.beforeRank, nowMs),
      change.kind === "remove" ? undefined : endText(change.afterUntilMs, change.afterRank, nowMs),
      becauseOf(change),
    ]),
  );
  return all > changes.length ? `${table}\nand ${humanCount(all - changes.length)} more: --limit shows them` : table;
}

function endText(untilMs: number, rank: number, nowMs: number): string {
  return `${untilMs === 0 ? "open-ended" : humanMoment(untilMs, nowMs)}, rank ${rank}`;
}

function becauseOf({ reasons, kind }: PlannedChange): string {
  return kind === "remove" ? `no more: ${reasons.join(", ")}` : reasons.join(", ");
}

const MET: Readonly<Record<string, string>> = {
  own: "the fleet's own",
  pack: "in pack",
  allowed: "allowed",
  pardoned: "pardoned",
  "pardoned-lately": "pardoned lately, and listed again",
};

function collisionText({ collisions, collisionsTotal }: PolicyPlan): string {
  if (collisionsTotal === 0) return "";
  const table = renderTable(
    [{ title: "collision" }, { title: "list" }, { title: "with" }],
    collisions.map(({ prefix, list, kind, name, by }) => [
      prefix,
      list,
      [MET[kind] ?? kind, name, by === prefix ? "" : by].filter((part) => part !== "").join(" "),
    ]),
  );
  const left = collisionsTotal - collisions.length;
  return left > 0 ? `${table}\nand ${humanCount(left)} more: --limit shows them` : table;
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${humanCount(number)} ${number === 1 ? one : many}`;
}

export const POLICY_COLUMNS: readonly Column[] = [
  { title: "number", align: "right" },
  { title: "state" },
  { title: "applied" },
  { title: "author" },
  { title: "reason" },
  { title: "remark" },
];

export function policyRow(policy: PolicyStatus, nowMs: number) {
  const { policyNo, state, appliedAtMs, author, reason } = policy;
  return [policyNo, state, humanMoment(appliedAtMs, nowMs), author, reason, remarkOf(policy, nowMs)];
}

/** What matters of it now. */
function remarkOf(policy: PolicyStatus, nowMs: number): string | undefined {
  const { state, rolledBackBecause, confirmByMs, canaryGroup, canaryUntilMs, trialListings, settled } = policy;
  if (state === "rolled-back") return `${rolledBackBecause}${settled ? "" : "; being undone"}`;
  if (state === "trial") {
    return `on ${canaryGroup}, for all ${humanMoment(canaryUntilMs, nowMs)}; ${humanCount(trialListings)} listings`;
  }
  if (confirmByMs !== 0) return `goes back ${humanMoment(confirmByMs, nowMs)}, unless confirmed`;
  return settled ? undefined : "its changes are being made";
}

export function policyText(policy: PolicyStatus, body: string, nowMs: number): string {
  if (policy.policyNo === 0) return "no policy was applied: the defaults hold";
  const facts = renderFacts([
    ["policy", policy.policyNo],
    ["state", policy.state],
    ["remark", remarkOf(policy, nowMs)],
    ["applied", `${utcTime(policy.appliedAtMs)} UTC by ${policy.author}`],
    ["reason", policy.reason],
    ["days decided anew", policy.days],
    ["sha256", policy.sha256],
  ]);
  return `${facts}\n\n${body.trimEnd()}`;
}
