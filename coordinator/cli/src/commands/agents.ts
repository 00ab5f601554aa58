/** `fleetban agents`: list, show, move, revoke, probe. */

import { humanMicroseconds, humanMoment, renderTable } from "@fleetban/kit/cli-output";
import type { AgentProbe } from "@fleetban/proto/wire/admin";
import type { Command } from "commander";
import { durationSeconds } from "../arguments.ts";
import type { Cli } from "../cli.ts";
import { CliError, usageError } from "../cli-error.ts";
import { example, type Run } from "../run.ts";
import { AGENT_COLUMNS, agentRow, agentText, movedText, NO_AGENTS } from "../show-agents.ts";

const PROBE_SECONDS = 5;

export function addAgents(program: Command, run: Run): void {
  const agents = program.command("agents").alias("agent").description("the servers that enforce the lists");

  agents
    .command("list")
    .description("all agents, or those of one group")
    .option("--group <name>", "only of this group")
    .action(
      run(async (cli, options: { group?: string }) => {
        const answer = await cli.calls.call((admin) => admin.listAgents, { agent: "" });
        const shown = answer.agents.filter(({ group }) => options.group === undefined || group === options.group);
        cli.show(shown, () =>
          renderTable(
            AGENT_COLUMNS,
            shown.map((agent) => agentRow(agent, cli.nowMs)),
            answer.agents.length === 0 ? NO_AGENTS : `no agents in group ${options.group}`,
          ),
        );
      }),
    );

  agents
    .command("show")
    .description("one agent whole: its lists, kernel, spool and certificate")
    .argument("<agent>", "name or id")
    .action(
      run(async (cli, agent: string) => {
        const answer = await cli.calls.call((admin) => admin.listAgents, { agent });
        cli.show(answer.agents, () => answer.agents.map((one) => agentText(one, cli.nowMs)).join("\n\n"));
      }),
    )
    .addHelpText("after", example("agents show web1"));

  agents
    .command("move")
    .description("put an agent into another group; its lists and settings are that group's at once")
    .argument("<agent>", "name or id")
    .requiredOption("--group <name>", "`default`, or one that the policy names")
    .option("--reason <text>", "why, for the audit log", "")
    .action(
      run(async (cli, agent: string, { group, reason }: { group: string; reason: string }) => {
        const answer = await cli.calls.call((admin) => admin.moveAgent, { agent, group, reason });
        cli.show(answer, () => movedText(answer));
      }),
    )
    .addHelpText("after", example("agents move web1 --group edge --reason 'tries what is new'"));

  agents
    .command("revoke")
    .description("cut an agent off at once, for good")
    .argument("<agent>", "name or id")
    .option("--reason <text>", "why, for the audit log", "")
    .option("--yes", "do it without asking", false)
    .action(
      run(async (cli, agent: string, { reason, yes }: { reason: string; yes: boolean }) => {
        if (!yes) await cli.calls.call((admin) => admin.listAgents, { agent }); // a name that is mistyped is told first
        if (!yes) throw usageError(`agent ${agent}: would be cut off for good`, "repeat the command with --yes");
        const answer = await cli.calls.call((admin) => admin.revokeAgent, { agent, reason });
        const cut = answer.streamsCut === 1 ? ", its stream was cut" : "";
        cli.show(answer, () => `agent ${agent} is revoked${cut}; what it has in its kernel runs out by itself`);
      }),
    )
    .addHelpText("after", example("agents revoke web1 --yes --reason 'decommissioned'"));

  agents
    .command("probe")
    .description("put a test address into an agent's kernel and take it out again, timing each hop")
    .argument("[agent]", "name or id; without one all that are online")
    .option("--last", "what the last probe of each found, without a new one", false)
    .option("--timeout <duration>", `how long to wait for an answer (default: ${PROBE_SECONDS}s)`, durationSeconds)
    .action(
      run((cli, agent: string | undefined, { last, timeout = PROBE_SECONDS }: { last: boolean; timeout?: number }) =>
        last ? lastProbes(cli, agent) : probe(cli, agent, timeout),
      ),
    )
    .addHelpText("after", example("agents probe", "agents probe web1", "agents probe --last"));
}

async function probe(cli: Cli, agent: string | undefined, timeoutSeconds: number): Promise<void> {
  const probes: AgentProbe[] = [];
  const request = { agent: agent ?? "", timeoutMs: timeoutSeconds * 1_000 };
  for await (const one of cli.calls.pages((admin) => admin.probeAgents, request)) probes.push(one);
  cli.show(probes, () => probeTable(probes));
  const failed = probes.filter(({ error, rulePresent }) => error !== "" || !rulePresent);
  if (failed.length > 0) {
    const names = failed.map(({ name }) => name).join(", ");
    throw new CliError("probe-failed", `${failed.length} of ${probes.length} probes failed: ${names}`, {
      hint: "look at them there: fleetban-agent status",
    });
  }
}

async function lastProbes(cli: Cli, agent = ""): Promise<void> {
  const { agents } = await cli.calls.call((admin) => admin.listAgents, { agent });
  const probes = agents.map(({ lastProbe }) => lastProbe).filter((probe) => probe !== undefined);
  cli.show(probes, () => probeTable(probes, cli.nowMs));
}

/** With `nowMs` also when. */
function probeTable(probes: readonly AgentProbe[], nowMs?: number): string {
  const right = "right" as const;
  return renderTable(
    [
      ...(nowMs === undefined ? [] : [{ title: "probed" }]),
      { title: "agent" },
      { title: "address" },
      { title: "network", align: right },
      { title: "added", align: right },
      { title: "tested", align: right },
      { title: "removed", align: right },
      { title: "total", align: right },
      { title: "backend" },
      { title: "rule" },
      { title: "outcome" },
    ],
    probes.map((probe) => [
      ...(nowMs === undefined ? [] : [humanMoment(probe.probedAtMs, nowMs)]),
      probe.name,
      probe.address,
      ...(probe.error === ""
        ? [probe.networkUs, probe.addedUs, probe.testedUs, probe.removedUs, probe.totalUs].map(humanMicroseconds)
        : ["-", "-", "-", "-", "-"]),
      probe.backend,
      probe.rulePresent ? "present" : "missing",
      probe.error === "" ? "passed" : probe.error,
    ]),
    "no probe yet; make one: fleetban agents probe",
  );
}
