/** The command line of `npm start`. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { StartError } from "./start-error.ts";

export interface StartOptions {
  readonly dataDir: string;
  /** Whether `dataDir` is the checkout's own. */
  readonly isUsualPlace: boolean;
  readonly isEnforcing: boolean;
  /** Undefined = as the configuration says, else 7741. */
  readonly portBase: number | undefined;
}

export const USAGE = `Usage: npm start [-- options]

Runs a coordinator and an agent for this machine, with everything they keep in one folder. Ctrl-C ends both.

  --data DIR       the folder (default: ./data)
  --enforce        let the agent drop packets in the kernel; needs root (default: dry-run, which only counts)
  --port-base N    listen on N (agents), N+1 (enrollment), N+2 (web) and N+3 (the agent's health); default 7741
  --help           show this`;

export const PORTS = 4;
const PORT_MAX = 65_535;

/** Undefined = the help is wanted. `caller` is the folder that relative paths are meant from. */
export function parseOptions(args: readonly string[], caller: string, usualPlace: string): StartOptions | undefined {
  const { values } = parse(args);
  if (values.help) return undefined;
  const dataDir = values.data === undefined ? usualPlace : resolve(caller, values.data);
  const isUsualPlace = dataDir === usualPlace;
  return { dataDir, isUsualPlace, isEnforcing: values.enforce, portBase: portBaseOf(values["port-base"]) };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        data: { type: "string" },
        enforce: { type: "boolean", default: false },
        "port-base": { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (cause) {
    const message = (cause as Error).message.split(". ")[0] ?? "";
    throw new StartError("bad-options", message.charAt(0).toLowerCase() + message.slice(1), {
      hint: "npm start -- --help shows what there is",
    });
  }
}

function portBaseOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port + PORTS - 1 <= PORT_MAX) return port;
  throw new StartError("bad-options", `--port-base ${text}: must be a number from 1 to ${PORT_MAX - PORTS + 1}`, {
    hint: "npm start -- --port-base 17741",
  });
}
