/** `fleetban-agent`: reads the command line, joins nothing itself; each command is loaded when it is asked for. */
import { hostname } from "node:os";
import { VERSION } from "@fleetban/kit/drivers/version";
import { FleetbanError } from "@fleetban/kit/errors";
import { Command, CommanderError } from "commander";
import { complaintOf } from "./commands/complaint.ts";
import type { EnforceWish } from "./commands/enforce.ts";
import { addHelpCommand } from "./commands/help.ts";
import { addOwnBanCommands } from "./commands/own-ban-commands.ts";
import type { AgentConfig } from "./config.ts";
import { DEFAULT_CONFIG_FILE, readConfigFile } from "./drivers/config-file.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_UNKNOWN = 3; // Nagios takes 2 for an alarm

// A pipe whose reader has gone (`fleetban-agent status | head`) is an end, not a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : EXIT_FAILED));

const program = new Command("fleetban-agent")
  .description("shares this server's bans with its fleet and enforces the fleet's in the kernel")
  .version(VERSION, "-V, --version", "show the version")
  .helpOption("-h, --help", "show this help")
  .addHelpText(
    "after",
    `
Examples:
  fleetban-agent enroll fbe1.…              put this server into the fleet that made the token
  fleetban-agent install                    unit, boot load, fail2ban action and configuration in place
  fleetban-agent run                        what the systemd unit starts
  fleetban-agent enforce --for 10m          a first enforcement, undone unless \`enforce --confirm\` follows
  fleetban-agent status                     what is enforced, from where, and what is wrong
  fleetban-agent check                      one line and an exit code for Nagios
  fleetban-agent ban 45.83.64.9 --for 1h    from a script: banned here, told to the fleet
  fleetban-agent import /etc/old-bans       what an older script has gathered
`,
  )
  .showSuggestionAfterError()
  .configureOutput({ outputError: () => undefined }) // `tell` says it
  .exitOverride();

interface EnrollFlags {
  readonly config?: string;
  readonly name?: string;
  readonly dataDir?: string;
  readonly tokenFile?: string;
  readonly force?: true;
}

const withConfig = (command: Command) =>
  command.option("-c, --config <file>", `configuration file (default: ${DEFAULT_CONFIG_FILE})`);

withConfig(program.command("run"))
  .description("run the agent in the foreground")
  .action(async (options: { config?: string }) => {
    const { run } = await import("./commands/run.ts");
    await run(readConfigFile(options.config));
  });

withConfig(program.command("enroll"))
  .description("make a key on this server and have the token's coordinator certify it")
  .argument("[token]", "as `fleetban enrollments create` printed it; - = standard input")
  .option("--token-file <file>", "a file that holds the token, so that the command line does not show it")
  .option("--name <name>", "how operators see this server (default: name of the configuration, else the host name)")
  .option("--data-dir <dir>", "where the identity is kept (default: data_dir of the configuration)")
  .option("--force", "replace the identity that is there")
  .action(async (token: string | undefined, options: EnrollFlags) => {
    const { enroll } = await import("./commands/enroll.ts");
    const { tokenFile, force = false } = options;
    const config = readConfigFile(options.config);
    const dataDir = options.dataDir ?? config.data_dir;
    print(await enroll(token, { dataDir, name: options.name ?? nameOf(config), tokenFile, force }));
  });

withConfig(program.command("status"))
  .description("show what the running agent holds, enforces and misses")
  .option("--json", "for programs")
  .action(async (options: { config?: string; json?: true }) => {
    const { askStatus } = await import("./drivers/ask-status.ts");
    const { renderStatus } = await import("./commands/status.ts");
    const status = await askStatus(endpointsOf(readConfigFile(options.config)));
    print([options.json === true ? JSON.stringify(status, null, 2) : renderStatus(status)]);
  });

withConfig(program.command("check"))
  .description("one line and an exit code as Nagios plug-ins have them: 0 ok, 1 warning, 2 critical, 3 unknown")
  .action(async (options: { config?: string }) => {
    const { askStatus } = await import("./drivers/ask-status.ts");
    const { judge, unknown } = await import("./commands/check.ts");
    const asked = async () => judge(await askStatus(endpointsOf(readConfigFile(options.config))));
    const result = await asked().catch((error: Error) => unknown(error.message));
    print([result.line]);
    process.exitCode = result.exitCode;
  });

withConfig(program.command("enforce"))
  .description("try a first enforcement, which undoes itself unless it is confirmed")
  .option("--for <duration>", "enforce for so long, such as 10m")
  .option("--confirm", "stay: the machine enforces from now on")
  .option("--undo", "take it away now")
  .action(async (options: { config?: string; for?: string; confirm?: true; undo?: true }) => {
    const { enforce } = await import("./commands/enforce.ts");
    print(await enforce(enforceWish(options), readConfigFile(options.config)));
  });

addOwnBanCommands(program, withConfig);

program
  .command("install")
  .description("put unit, boot load, fail2ban action and configuration in place, and say what was done")
  .option("--root <dir>", "below this directory, for images (default: /)")
  .action(async (options: { root?: string }) => {
    const { install } = await import("./commands/install.ts");
    print(await install(options.root ?? "/"));
  });

withConfig(program.command("uninstall"))
  .description("take every set, chain and rule of fleetban out of the kernel; nothing else is touched")
  .action(async (options: { config?: string }) => {
    const { uninstall } = await import("./commands/uninstall.ts");
    print(await uninstall(readConfigFile(options.config)));
    const { warnOfSavedRules } = await import("./drivers/saved-rules.ts");
    const warning = await warnOfSavedRules();
    if (warning !== undefined) console.error(`fleetban-agent: warning: ${warning}`);
  });

addHelpCommand(program);

void main(); // owned by the process

async function main(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = tell(error);
  }
}

function enforceWish(options: { for?: string; confirm?: true; undo?: true }): EnforceWish {
  const wishes: readonly EnforceWish[] = [
    ...(options.for === undefined ? [] : [{ kind: "for" as const, duration: options.for }]),
    ...(options.confirm === undefined ? [] : [{ kind: "confirm" as const }]),
    ...(options.undo === undefined ? [] : [{ kind: "undo" as const }]),
  ];
  const [wish] = wishes;
  if (wish !== undefined && wishes.length === 1) return wish;
  throw new FleetbanError("bad-usage", "enforce: needs one of --for DURATION, --confirm and --undo", {
    hint: "try it for ten minutes with `fleetban-agent enforce --for 10m`",
  });
}

/** Says what went wrong; the exit code. */
function tell(error: unknown): number {
  const typed = process.argv[2];
  const usage = typed === "check" ? EXIT_UNKNOWN : EXIT_USAGE;
  if (error instanceof CommanderError && (error.exitCode === 0 || error.code === "commander.help")) {
    return error.exitCode === 0 ? 0 : usage; // the help is there
  }
  const isKnown = program.commands.some((command) => command.name() === typed);
  const complaint = complaintOf(error, isKnown ? `fleetban-agent ${typed}` : "fleetban-agent");
  if (complaint === undefined) {
    console.error("fleetban-agent: error:", error);
    return EXIT_FAILED;
  }
  for (const line of complaint.lines) console.error(`fleetban-agent: ${line}`);
  return complaint.isUsage ? usage : EXIT_FAILED;
}

function print(lines: readonly string[]): void {
  for (const line of lines) console.log(line);
}

function nameOf(config: AgentConfig): string {
  return config.name === "" ? hostname() : config.name;
}

function endpointsOf(config: AgentConfig): { host: string; port: number } {
  return { host: config["health.host"], port: config["health.port"] };
}
