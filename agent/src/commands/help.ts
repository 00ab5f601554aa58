/** `fleetban-agent help [command]`: commander's own shows everything, and nothing of the mistake, for a word it doesn't know. */
import { FleetbanError } from "@fleetban/kit/errors";
import { nearest } from "@fleetban/kit/nearest";
import type { Command } from "commander";

export function addHelpCommand(program: Command): void {
  program
    .helpCommand(false)
    .command("help")
    .description("show what a command does and takes")
    .argument("[command]")
    .action((name: string | undefined) => (name === undefined ? program : commandOf(program, name)).outputHelp());
}

function commandOf(program: Command, name: string): Command {
  const command = program.commands.find((one) => one.name() === name);
  if (command !== undefined) return command;
  const meant = nearest(
    name,
    program.commands.map((one) => one.name()),
  );
  throw new FleetbanError("bad-usage", `unknown command '${name}'`, {
    hint: meant === undefined ? "see fleetban-agent --help" : `Did you mean ${meant}?`,
  });
}
