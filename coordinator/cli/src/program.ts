/**
 * `fleetban`: the whole command line, run once. Returns the exit code: 0 done, 1 failed, 2 not understood.
 *
 * Results go to stdout, everything else to stderr: `fleetban: error: …`, then `fleetban: hint: …`.
 */

import { plain } from "@fleetban/kit/cli-output";
import { Command, CommanderError } from "commander";
import type { CliParts } from "./cli.ts";
import { CliError } from "./cli-error.ts";
import { addActs } from "./commands/acts.ts";
import { addAgents } from "./commands/agents.ts";
import { addAudit } from "./commands/audit.ts";
import { addCertificates } from "./commands/certificates.ts";
import { addEnrollments } from "./commands/enrollments.ts";
import { addExplain } from "./commands/explain.ts";
import { addFeeds } from "./commands/feeds.ts";
import { addHolds } from "./commands/holds.ts";
import { addKeptActs } from "./commands/kept-acts.ts";
import { addListings } from "./commands/listings.ts";
import { addStatus } from "./commands/status.ts";
import { addVersion } from "./commands/version.ts";
import { createRun, example } from "./run.ts";
import { withDefaults } from "./with-defaults.ts";

export async function runProgram(args: readonly string[], parts: CliParts): Promise<number> {
  try {
    await createProgram(parts).parseAsync(withDefaults(args), { from: "user" });
    return 0;
  } catch (error) {
    return complain(error, parts);
  }
}

function createProgram(parts: CliParts): Command {
  const program = new Command("fleetban")
    .description("A fleet of servers that protect each other: an address banned on one is dropped by all.")
    .version(parts.version, "--version", "print this program's version")
    .option("--json", "for programs: the answer as JSON")
    .option("--socket <path>", "the coordinator's admin socket (environment: FLEETBAN_SOCKET)")
    .option("--address <host:port>", "a coordinator over the network (FLEETBAN_ADDRESS)")
    .option("--credentials <folder>", "key and certificate for it (FLEETBAN_CREDENTIALS)")
    .showSuggestionAfterError(true)
    .helpCommand("help [command]", "what a command does, and its options")
    .addHelpText(
      "after",
      example("", "ban 8.8.8.8 --for 7d --wait", "explain 8.8.8.8", "agents probe").replace(
        "fleetban \n",
        "fleetban\n",
      ),
    );
  const run = createRun(parts);
  addStatus(program, run);
  addActs(program, run);
  addExplain(program, run);
  for (const add of [addAgents, addEnrollments, addListings, addKeptActs, addFeeds, addHolds]) add(program, run);
  for (const add of [addAudit, addCertificates, addVersion]) add(program, run);
  configure(program, parts);
  return program;
}

/** Commander would write by itself and end the process. */
function configure(command: Command, parts: CliParts): void {
  command.exitOverride().configureOutput({ writeOut: parts.stdout, writeErr: () => undefined });
  for (const inner of command.commands) configure(inner, parts);
}

function complain(error: unknown, { stderr }: CliParts): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0 || error.code === "commander.help") return error.exitCode === 0 ? 0 : 2;
    const [message = "", ...hints] = error.message.replace(/^error: /, "").split("\n");
    stderr(`fleetban: error: ${plain(message.replace(/\.$/, ""))}\n`);
    stderr(`fleetban: hint: ${hints.join(" ").replace(/^\(|\)$/g, "") || "see fleetban --help"}\n`);
    return 2;
  }
  if (!(error instanceof CliError)) throw error;
  stderr(`fleetban: error: ${plain(error.message)}\n`);
  if (error.hint !== undefined) stderr(`fleetban: hint: ${plain(error.hint)}\n`);
  return error.exitCode;
}
