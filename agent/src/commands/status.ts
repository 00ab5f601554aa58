/** `fleetban-agent status`: what this agent holds, enforces and misses, for people. */
import { humanCount, humanMoment, humanSeconds, renderFacts, renderTable } from "@fleetban/kit/cli-output";
import { FleetbanError } from "@fleetban/kit/errors";
import type { AgentStatus, ListStatus } from "../health/status.ts";
import { WARNABLES } from "../health/warnables.ts";
import type { LinkState } from "../link/state.ts";

/** The program may have been replaced under a running agent, whose status then lacks what this one shows. */
export function renderStatus(status: AgentStatus): string {
  try {
    return [renderHead(status), renderLists(status), ...renderWarnables(status)].join("\n\n");
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new FleetbanError("status-unreadable", `the running agent (${status.version}) is of another version`, {
      hint: "restart it: `systemctl restart fleetban-agent`; --json shows what it says",
      cause,
    });
  }
}

function renderHead(status: AgentStatus): string {
  const { firewall, spool, nowMs } = status;
  return renderFacts([
    ["agent", `${status.name}  ${status.agentId ?? "(not enrolled)"}`],
    ["version", `${status.version}, started ${humanMoment(status.startedAtMs, nowMs)}`],
    ["coordinator", linkText(status.link, nowMs)],
    ["clock", skewText(status.clockSkewMs)],
    [
      "certificate",
      status.certificateEndsAtMs === undefined ? undefined : `ends ${humanMoment(status.certificateEndsAtMs, nowMs)}`,
    ],
    ["firewall", firewallText(status)],
    ["enforcing", enforcingText(status)],
    ["own", ownText(status)],
    ["local", `${humanCount(firewall.localEntries)} of this server's own bans enforced`],
    [
      "batches",
      `${humanCount(firewall.batchEntries)} entries, 99 % within ${(firewall.applyP99Us / 1_000).toFixed(1)} ms`,
    ],
    ["drift", driftText(status)],
    ["dropped", droppedText(status)],
    ["spool", spoolText(status)],
    ["sightings", sightingsText(status.sightingsBySource)],
    ["lost", spool.lost === 0 ? "0" : `${humanCount(spool.lost)} dropped while the spool was full`],
  ]);
}

function firewallText({ firewall: { backend, via, rules } }: AgentStatus): string {
  if (backend === "dry-run") return "none: nothing is put into the kernel";
  return `${backend} by ${via}, rules ${rules}`;
}

function enforcingText({ enforcing, firewall, nowMs }: AgentStatus): string {
  switch (enforcing.kind) {
    case "configured":
      return firewall.backend === "dry-run" ? "no: dry-run counts, and drops nothing" : "yes";
    case "trial":
      return `on trial: undone ${humanMoment(enforcing.endsAtMs, nowMs)}, unless \`fleetban-agent enforce --confirm\` comes first`;
    case "ended":
      return `a trial has ended: ${enforcing.because}; nothing is enforced`;
    case "confirmed":
      return `confirmed ${humanMoment(enforcing.atMs, nowMs)}, though agent.yaml says dry-run`;
  }
}

function ownText({ firewall, protectedSessions }: AgentStatus): string {
  const text = `${humanCount(firewall.ownEntries)} addresses and networks are never banned here`;
  return protectedSessions === 0 ? text : `${text}, ${protectedSessions} of them because of an SSH login`;
}

function linkText(link: LinkState, nowMs: number): string {
  switch (link.kind) {
    case "online":
      return `${link.address}, connected ${humanMoment(link.sinceMs, nowMs)}`;
    case "connecting":
      return `connecting to ${link.address}`;
    case "waiting":
      return `not connected: ${link.cause}; next try ${humanMoment(link.retryAtMs, nowMs)}`;
    case "stopped":
      return "not enrolled";
  }
}

function skewText(skewMs: number | undefined): string {
  if (skewMs === undefined) return "not compared yet";
  if (Math.abs(skewMs) < 1_000) return "agrees with the ledger";
  return `${humanSeconds(Math.round(Math.abs(skewMs) / 1_000))} ${skewMs > 0 ? "ahead" : "behind"}; times are corrected`;
}

function driftText({ firewall }: AgentStatus): string {
  const { driftEntries, driftSets, driftRules } = firewall;
  if (driftEntries + driftSets + driftRules === 0) return "none found";
  return `${humanCount(driftEntries)} entries, ${driftSets} sets, ${driftRules} times the rules: found different and repaired`;
}

function droppedText({ hits }: AgentStatus): string {
  if (!hits.isCounting) return "not counted by this backend";
  const counts = Object.entries(hits.byList).map(([list, { packets }]) => `${humanCount(packets)} by ${list}`);
  return counts.length === 0 ? "no packet counted since the start" : `packets: ${counts.join(", ")}`;
}

function spoolText({ spool, nowMs }: AgentStatus): string {
  if (spool.sightings === 0) return "empty: everything is acknowledged";
  return `${humanCount(spool.sightings)} waiting, the oldest from ${humanMoment(spool.oldestMs, nowMs)}`;
}

function sightingsText(bySource: Readonly<Record<string, number>>): string {
  const counts = Object.entries(bySource).filter(([, count]) => count > 0);
  return counts.length === 0 ? "0" : counts.map(([source, count]) => `${humanCount(count)} by ${source}`).join(", ");
}

const COLUMNS = [
  { title: "list" },
  { title: "effect" },
  { title: "revision", align: "right" },
  { title: "listings", align: "right" },
  { title: "in kernel", align: "right" },
  { title: "left out", align: "right" },
  { title: "kept", align: "right" },
  { title: "refused", align: "right" },
  { title: "read back" },
] as const;

function renderLists({ lists, nowMs }: AgentStatus): string {
  if (lists.length === 0) return "no list has arrived yet";
  return renderTable(
    COLUMNS,
    lists.map((list) => listRow(list, nowMs)),
  );
}

function listRow(list: ListStatus, nowMs: number) {
  return [
    list.name,
    list.unsupported ? `${list.effect} (not enforced)` : list.effect,
    list.revision,
    humanCount(list.listings),
    humanCount(list.kernelEntries),
    humanCount(list.leftOut),
    humanCount(list.kept),
    humanCount(list.refused),
    humanMoment(list.checkedAtMs, nowMs),
  ];
}

function renderWarnables({ warnables, nowMs }: AgentStatus): readonly string[] {
  if (warnables.length === 0) return [];
  const lines = warnables.map(({ code, sinceMs, detail }) => {
    const { severity, text } = WARNABLES[code];
    return `${severity}: ${code} since ${humanMoment(sinceMs, nowMs)}${detail === "" ? "" : ` (${detail})`}\n  ${text}`;
  });
  return [lines.join("\n")];
}
