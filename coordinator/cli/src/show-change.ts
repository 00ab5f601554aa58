/** Tells what an act has done, or would do; fails where agents did not report it in time. */
import type { ChangeResponse } from "@fleetban/proto/wire/admin";
import type { Cli } from "./cli.ts";
import { CliError } from "./cli-error.ts";

export interface ChangeOptions {
  readonly dryRun?: boolean;
  /** Absent = not waited for. */
  readonly waitMs: number;
}

export function showChange(cli: Cli, change: ChangeResponse, { dryRun = false, waitMs }: ChangeOptions): void {
  cli.show(change, () => textOf(change, dryRun, waitMs));
  if (change.needsYes) {
    throw new CliError("needs-yes", `${change.prefix}: is so wide that nothing was changed yet`, {
      hint: "the plan is above; repeat the command with --yes to carry it out",
      exitCode: 2,
    });
  }
  if (change.agentsMissing.length > 0) {
    const of = change.agentsApplied + change.agentsMissing.length;
    const names = change.agentsMissing.join(", ");
    throw new CliError(
      "agents-missing",
      `${change.agentsMissing.length} of ${of} agents have not reported it in time: ${names}`,
      {
        hint: "it is done and they get it as soon as they can; `fleetban agents list` shows how they are",
      },
    );
  }
}

function textOf(change: ChangeResponse, dryRun: boolean, waitMs: number): string {
  const lines = [...change.done];
  if (dryRun || change.needsYes) lines.push("(this is a plan: nothing was changed)");
  else if (waitMs > 0) lines.push(appliedText(change));
  return lines.join("\n");
}

function appliedText({ agentsApplied, agentsMissing, waitedMs }: ChangeResponse): string {
  if (agentsApplied + agentsMissing.length === 0) return "no agent is online; each gets it when it connects";
  return `in the kernels of ${agentsApplied} ${agentsApplied === 1 ? "agent" : "agents"} after ${waitedMs} ms`;
}
