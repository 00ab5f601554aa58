/**
 * `fleetban`: the whole command line, run once. Returns the exit code: 0 done, 1 failed, 2 not understood, 3 held.
 *
 * Results go to stdout, everything else to stderr: `fleetban: error: …`, then `fleetban: hint: …`.
 */

import { plain } from "@fleetban/kit/cli-output";
import { type Argument, Command, type CommanderError, Help, type Option } from "commander";
import type { CliParts } from "./cli.ts";
import { CliError } from "./cli-error.ts";
import { addActs } from "./commands/acts.ts";
import { addAgents } from "./commands/agents.ts";
import { addAudit } from "./commands/audit.ts";
import { addCertificates } from "./commands/certificates.ts";
import { addEnrollments } from "./commands/enrollments.ts";
import { addExplain } from "./commands/explain.ts";
import { addFeeds } from "./commands/feeds.ts";
import { addHits } from "./commands/hits.ts";
import { addHolds } from "./commands/holds.ts";
import { addJobs } from "./commands/jobs.ts";
import { addKeptActs } from "./commands/kept-acts.ts";
import { addListings } from "./commands/listings.ts";
import { addNotifications } from "./commands/notifications.ts";
import { addPacks } from "./commands/packs.ts";
import { addPolicy } from "./commands/policy.ts";
import { addPublish } from "./commands/publish.ts";
import { addReports } from "./commands/reports.ts";
import { addStatus } from "./commands/status.ts";
import { addVersion } from "./commands/version.ts";
import { createRun, example } from "./run.ts";
import { withDefaults } from "./with-defaults.ts";

export async function runProgram(args: readonly string[], parts: CliParts): Promise<number> {
  try {
    await createProgram(parts).parseAsync(withDefaults(args), { from: "user" });
    return 0;
  } catch (error) {
    return complain(error, args, parts);
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
  for (const add of [addAgents, addEnrollments, addListings, addKeptActs, addHits, addFeeds, addPacks, addHolds])
    add(program, run);
  for (const add of [
    addPolicy,
    addPublish,
    addReports,
    addNotifications,
    addJobs,
    addAudit,
    addCertificates,
    addVersion,
  ])
    add(program, run);
  configure(program, "fleetban", parts);
  return program;
}

/** What commander threw, and the command that it did not understand. */
class NotUnderstood {
  readonly error: CommanderError;
  readonly command: string;

  constructor(error: CommanderError, command: string) {
    this.error = error;
    this.command = command;
  }
}

/** Commander would write by itself and end the process. */
function configure(command: Command, named: string, parts: CliParts): void {
  command
    .exitOverride((error) => {
      throw new NotUnderstood(error, named);
    })
    .configureOutput({ writeOut: parts.stdout, writeErr: () => undefined })
    .configureHelp({ optionDescription, argumentDescription });
  // withDefaults fills it in.
  const standIn = ["list", "show", "tokens"].find((name) => command.commands.some((inner) => inner.name() === name));
  if (standIn !== undefined && command.parent !== null)
    command.addHelpText("after", `\nWithout a command: ${standIn}.\n`);
  for (const inner of command.commands) configure(inner, `${named} ${inner.name()}`, parts);
}

/** Nobody needs to be told that a switch is off until it is used. */
function optionDescription(option: Option): string {
  return isNothing(option.defaultValue) ? option.description : new Help().optionDescription(option);
}

function argumentDescription(argument: Argument): string {
  return isNothing(argument.defaultValue) ? argument.description : new Help().argumentDescription(argument);
}

function isNothing(value: unknown): boolean {
  return value === "" || value === false || (Array.isArray(value) && value.length === 0);
}

function complain(error: unknown, args: readonly string[], { stderr }: CliParts): number {
  if (error instanceof NotUnderstood) return complainOfUsage(error, args, stderr);
  if (!(error instanceof CliError)) throw error;
  stderr(`fleetban: error: ${plain(withoutHint(error))}\n`);
  if (error.hint !== undefined) stderr(`fleetban: hint: ${plain(error.hint)}\n`);
  return error.exitCode;
}

/** How commander puts a value and the remedy that its parser gave (`arguments.ts`) into one line. */
const INVALID_VALUE = /^(?:command-argument )?(.* is invalid(?: for argument '[^']*')?)\. (.*)$/;

function complainOfUsage(
  { error, command }: NotUnderstood,
  args: readonly string[],
  stderr: CliParts["stderr"],
): number {
  if (error.exitCode === 0) return 0;
  // `help` of what is no command would be the whole help on stderr, and not a word of why.
  const text = error.code === "commander.help" ? `unknown command '${args.at(-1)}'` : error.message;
  const [message = "", ...hints] = text.replace(/^error: /, "").split("\n");
  const [, what = message.replace(/\.$/, ""), remedy] = INVALID_VALUE.exec(message) ?? [];
  const see = hints.join(" ").replace(/^\(|\)$/g, "") || `see ${command} --help`;
  stderr(`fleetban: error: ${plain(what)}\n`);
  stderr(`fleetban: hint: ${remedy === undefined ? "" : `${remedy}; `}${see}\n`);
  return 2;
}

/** Some messages end with their remedy, which has a line of its own here. */
function withoutHint({ message, hint }: CliError): string {
  return hint !== undefined && message.endsWith(`; ${hint}`) ? message.slice(0, -hint.length - 2) : message;
}
