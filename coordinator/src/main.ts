/**
 * `fleetban-coordinator`: reads its configuration and runs until it is told to stop.
 *
 * The first SIGTERM or SIGINT stops it cleanly, a second one at once; a stop that takes too long ends itself.
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { VERSION } from "@fleetban/kit/drivers/version";
import { FleetbanError } from "@fleetban/kit/errors";
import { fileProblem } from "@fleetban/kit/file-problem";
import { createLog, type Log } from "@fleetban/kit/log";
import { type CoordinatorConfig, loadConfig } from "./config.ts";
import { runCoordinator } from "./drivers/run-coordinator.ts";

const CONFIG_FILE = "/etc/fleetban/coordinator.yaml";
const STOP_WITHIN_MS = 25_000; // systemd kills after 30 s
const USAGE = `Usage: fleetban-coordinator [--config FILE] [--check]

  --config FILE  configuration, by default ${CONFIG_FILE}
  --check        read the configuration, say what is wrong with it, and end
  --version      print the version
  --help         print this

Examples:
  fleetban-coordinator
  fleetban-coordinator --config ./coordinator.yaml --check
`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = optionsOf(args);
    if (options.help) return print(USAGE);
    if (options.version) return print(`fleetban-coordinator ${VERSION}\n`);
    const config = await configOf(options.config);
    if (options.check) return print("the configuration is good\n");
    return await run(config);
  } catch (error) {
    return complain(error);
  }
}

async function run(config: CoordinatorConfig): Promise<number> {
  const log = createLog((line) => process.stdout.write(`${line}\n`), systemClock, config.log_level);
  process.on("uncaughtExceptionMonitor", (error) => log.error("coordinator.crashed", { error }));
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(1);
      stop.abort(new FleetbanError("stopping", signal));
      endLate(log);
    });
  }
  try {
    await runCoordinator({ config, log, notifySocket: process.env.NOTIFY_SOCKET }, stop.signal);
  } catch (error) {
    if (error !== stop.signal.reason) throw error; // it was told to stop while it was starting
  }
  return 0;
}

/** A part that does not close must not keep a machine from shutting down; the database survives any end. */
function endLate(log: Log): void {
  const late = setTimeout(() => {
    log.error("coordinator.stop_took_too_long", { afterMs: STOP_WITHIN_MS });
    process.exit(1);
  }, STOP_WITHIN_MS);
  late.unref();
}

interface Options {
  readonly config: string | undefined;
  readonly check: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

function optionsOf(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: "string" },
        check: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        version: { type: "boolean", default: false },
      },
    });
    return { config: values.config, check: values.check, help: values.help, version: values.version };
  } catch (cause) {
    const message = (cause as Error).message.split(".")[0] ?? "unknown option";
    throw new FleetbanError("usage", message.toLowerCase(), { hint: "see fleetban-coordinator --help" });
  }
}

/** Without a file the defaults stand; one that is named has to be there. */
async function configOf(named: string | undefined): Promise<CoordinatorConfig> {
  const file = named ?? CONFIG_FILE;
  let text = "";
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "ENOENT" || named !== undefined) {
      throw new FleetbanError("bad-config", `${file}: cannot be read: ${fileProblem(cause)}`, {
        hint: "name the right file: fleetban-coordinator --config FILE",
        cause,
      });
    }
  }
  return loadConfig(text, file, (path) => readFile(path, "utf8"));
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function complain(error: unknown): number {
  if (!(error instanceof FleetbanError)) {
    process.stderr.write(
      `fleetban-coordinator: error: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`,
    );
    return 1;
  }
  for (const line of error.message.split("\n")) process.stderr.write(`fleetban-coordinator: error: ${line}\n`);
  if (error.hint !== undefined) process.stderr.write(`fleetban-coordinator: hint: ${error.hint}\n`);
  return error.code === "usage" || error.code === "bad-config" ? 2 : 1;
}
