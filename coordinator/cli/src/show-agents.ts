/** Agents as rows of a table, and one agent whole. */
import {
  type Cell,
  type Column,
  humanCount,
  humanMicroseconds,
  humanMoment,
  renderFacts,
  renderTable,
  utcTime,
} from "@fleetban/kit/cli-output";
import type { AgentListStatus, AgentStatus, MoveAgentResponse } from "@fleetban/proto/wire/admin";

export const NO_AGENTS = "no agents; add one: fleetban enrollments create";

export const AGENT_COLUMNS: readonly Column[] = [
  { title: "agent" },
  { title: "state" },
  { title: "seen" },
  { title: "backend" },
  { title: "entries", align: "right" },
  { title: "kernel" },
  { title: "version" },
  { title: "warnings" },
];

export function agentRow(agent: AgentStatus, nowMs: number): readonly Cell[] {
  const entries = agent.lists.reduce((sum, { kernelEntries }) => sum + kernelEntries, 0);
  return [
    agent.name,
    agent.state,
    agent.state === "online" ? "now" : humanMoment(agent.lastSeenAtMs, nowMs),
    agent.backend,
    humanCount(entries + agent.localEntries),
    kernelWord(agent.lists),
    agent.programVersion,
    agent.warnables.join(", "),
  ];
}

export function agentText(agent: AgentStatus, nowMs: number): string {
  const facts = renderFacts([
    ["agent", agent.name],
    ["id", agent.agentId],
    ["group", agent.group],
    ["state", `${agent.state}, seen ${humanMoment(agent.lastSeenAtMs, nowMs)}`],
    ["version", agent.programVersion],
    ["backend", agent.backend],
    ["addresses", agent.addresses.join(", ")],
    ["clock", `${agent.clockSkewMs} ms off the ledger's`],
    ["enrolled", utcTime(agent.enrolledAtMs)],
    ["certificate", `ends ${humanMoment(agent.certificateEndsAtMs, nowMs)}`],
    ["spool", `${humanCount(agent.spoolSightings)} waiting, ${humanCount(agent.lostSightings)} lost`],
    ["own entries", humanCount(agent.ownEntries)],
    ["local entries", humanCount(agent.localEntries)],
    ["last probe", lastProbe(agent, nowMs)],
    ["warnings", agent.warnables.join(", ")],
  ]);
  return agent.lists.length === 0 ? facts : `${facts}\n\n${listsTable(agent.lists, nowMs)}`;
}

function lastProbe({ lastProbe: probe }: AgentStatus, nowMs: number): string | undefined {
  if (probe === undefined) return undefined;
  const { probedAtMs, error, networkUs, addedUs, testedUs, removedUs, totalUs, rulePresent } = probe;
  const when = humanMoment(probedAtMs, nowMs);
  if (error !== "") return `failed ${when}: ${error}`;
  const hops = [
    ["network", networkUs],
    ["added", addedUs],
    ["tested", testedUs],
    ["removed", removedUs],
  ] as const;
  const took = hops.map(([hop, us]) => `${hop} ${humanMicroseconds(us)}`).join(", ");
  const rule = rulePresent ? "" : "; the rule is missing";
  return `passed ${when} in ${humanMicroseconds(totalUs)}: ${took}${rule}`;
}

/** Where it is now, and what that changes in its kernel. */
export function movedText({ agent, formerGroup, listsGiven, listsTaken, told }: MoveAgentResponse): string {
  const { name = "", group = "", state = "" } = agent ?? {};
  if (formerGroup === group) return `agent ${name} is in group ${group} already`;
  const when = told ? "at once" : state === "online" ? "within seconds" : "when it connects";
  const lists = [
    ...(listsGiven.length === 0 ? [] : [`is given ${listsGiven.join(", ")}`]),
    ...(listsTaken.length === 0 ? [] : [`loses ${listsTaken.join(", ")}`]),
  ];
  return [
    `agent ${name} is in group ${group}; it was in ${formerGroup}`,
    lists.length === 0 ? "both groups enforce the same lists" : `${when} it ${lists.join(" and ")}`,
  ].join("\n");
}

function listsTable(lists: readonly AgentListStatus[], nowMs: number): string {
  const right = "right" as const;
  return renderTable(
    [
      { title: "list" },
      { title: "revision", align: right },
      { title: "mirror" },
      { title: "kernel" },
      { title: "entries", align: right },
      { title: "left out", align: right },
      { title: "kept", align: right },
      { title: "refused", align: right },
      { title: "checked" },
    ],
    lists.map((list) => [
      list.name,
      list.revision,
      list.mirrorAgrees ? "equal" : "behind",
      list.kernelAgrees === "yes" ? "equal" : list.kernelAgrees === "no" ? "differs" : "unknown",
      list.kernelEntries,
      list.leftOut,
      list.kept,
      list.refused,
      humanMoment(list.checkedAtMs, nowMs),
    ]),
  );
}

/** The worst of its lists. */
function kernelWord(lists: readonly AgentListStatus[]): string | undefined {
  if (lists.length === 0) return undefined;
  if (lists.some(({ kernelAgrees }) => kernelAgrees === "no")) return "differs";
  if (lists.some(({ mirrorAgrees }) => !mirrorAgrees)) return "behind";
  return lists.every(({ kernelAgrees }) => kernelAgrees === "yes") ? "equal" : "unknown";
}
