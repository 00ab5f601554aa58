/** From a parsed command line to an action: connects, runs, closes. */
import type { Command } from "commander";
import type { Cli, CliParts } from "./cli.ts";
import { jsonText } from "./json.ts";

/** Options of every command. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly socket?: string;
  readonly address?: string;
  readonly credentials?: string;
}

export type Action<Args extends readonly unknown[]> = (cli: Cli, ...args: Args) => Promise<void>;

/** Wraps an action for commander, which passes arguments, then the command's options, then the command. */
export type Run = <Args extends readonly unknown[]>(action: Action<Args>) => (...args: unknown[]) => Promise<void>;

export function createRun(parts: CliParts): Run {
  return (action) =>
    async (...args) => {
      const command = args.at(-1) as Command;
      const options = command.optsWithGlobals<GlobalOptions>();
      const { environment } = parts;
      const calls = parts.connect({
        socket: options.socket ?? environment.FLEETBAN_SOCKET,
        // A socket named on the command line is meant, whatever the environment says.
        address: options.address ?? (options.socket === undefined ? environment.FLEETBAN_ADDRESS : undefined),
        credentials:
          options.credentials ?? (options.socket === undefined ? environment.FLEETBAN_CREDENTIALS : undefined),
      });
      const cli: Cli = {
        parts,
        calls,
        nowMs: parts.nowMs(),
        show: (value, text) => parts.stdout(`${options.json === true ? jsonText(value) : text()}\n`),
        note: (text) => {
          if (options.json !== true) parts.stderr(`${text}\n`);
        },
      };
      try {
        await action(cli, ...(args.slice(0, -1) as never));
      } finally {
        calls.close();
      }
    };
}

/** For `--help`. */
export function example(...commands: readonly string[]): string {
  return `\nExamples:\n${commands.map((command) => `  fleetban ${command}`).join("\n")}\n`;
}
