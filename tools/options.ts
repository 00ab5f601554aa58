/** What is written behind a tool's name on the command line: a mistake is told in a line, with what there is. */
import { type ParseArgsConfig, parseArgs } from "node:util";

/** Ends the process with 2 where they can't be read. `usage` = what could have been written. */
export function readOptions<Config extends ParseArgsConfig>(
  config: Config,
  usage: string,
): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config);
  } catch (error) {
    const [message = ""] = (error as Error).message.split(". ");
    console.error(`fleetban: error: ${message}`);
    console.error(`fleetban: hint: ${usage}`);
    process.exit(2);
  }
}
