/** `ban`, `unban` and `import` on the command line; each is loaded when it is asked for. */
import type { Command } from "commander";
import { readConfigFile } from "../drivers/config-file.ts";

const DATABASE = "/var/lib/fail2ban/fail2ban.sqlite3";

interface BanFlags {
  readonly config?: string;
  readonly for: string;
  readonly jail: string;
  readonly reason?: string;
  readonly json?: true;
}

interface ImportFlags extends BanFlags {
  readonly fail2ban?: string | true;
  readonly skipBad?: true;
  readonly dryRun?: true;
}

export function addOwnBanCommands(program: Command, withConfig: (command: Command) => Command): void {
  withConfig(program.command("ban"))
    .description("ban an address on this server, through the running agent, and tell the fleet")
    .argument("<address>", "one address; a network is banned by an operator, on the coordinator")
    .option("--for <duration>", "how long, such as 10m, 7d, or forever", "1h")
    .option("--jail <name>", "what is said to have banned it; policies weigh by it", "by-hand")
    .option("--reason <text>", "shown to operators beside the ban")
    .option("--json", "for programs")
    .addHelpText("after", BAN_HELP)
    .action(async (address: string, flags: BanFlags) => {
      const { ban } = await import("./ban.ts");
      print(await ban(readConfigFile(flags.config).socket, address, flags));
    });

  withConfig(program.command("unban"))
    .description("let an address go on this server, in its fail2ban too")
    .argument("<address>", "one address")
    .option("--json", "for programs")
    .addHelpText("after", UNBAN_HELP)
    .action(async (address: string, flags: { config?: string; json?: true }) => {
      const { unban } = await import("./unban.ts");
      const { lines, hint } = await unban(readConfigFile(flags.config).socket, address, { json: flags.json === true });
      print(lines);
      if (hint !== undefined) console.error(`fleetban-agent: hint: ${hint}`);
    });

  withConfig(program.command("import"))
    .description("tell the fleet of bans from before: plain files, or fail2ban's database")
    .argument("[files...]", "an address a line, with # or ; before comments")
    .option("--fail2ban [database]", `read fail2ban's database, when it does not run (default: ${DATABASE})`)
    .option("--for <duration>", "how long the bans of plain files last, or forever", "30d")
    .option("--jail <name>", "what is said to have banned what plain files hold", "import")
    .option("--skip-bad", "import the rest when some lines can't be")
    .option("--dry-run", "read and ask, and import nothing")
    .option("--json", "for programs")
    .addHelpText("after", IMPORT_HELP)
    .action(async (files: readonly string[], flags: ImportFlags, command: Command) => {
      if (files.length === 0 && flags.fail2ban === undefined)
        command.error("error: no file is named, and no --fail2ban");
      const { importBans } = await import("./import/import.ts");
      const { socket, data_dir: dataDir } = readConfigFile(flags.config);
      const { lines, problems } = await importBans({
        ...{ socket, dataDir, files, jail: flags.jail, for: flags.for },
        database: flags.fail2ban === true ? DATABASE : flags.fail2ban,
        skipBad: flags.skipBad === true,
        dryRun: flags.dryRun === true,
        json: flags.json === true,
        onProgress: (text) => console.error(`fleetban-agent: ${text}`),
      });
      for (const problem of problems) console.error(`fleetban-agent: left out: ${problem}`);
      print(lines);
    });
}

const BAN_HELP = `
Enforced here at once; on the other servers as the policy says, as after any ban. Refused where it would not be enforced:
special-purpose ranges, this machine's own addresses, and what is exempt.
Exit codes: 0 banned, 1 refused or no agent, 2 wrong usage.`;

const UNBAN_HELP = `
Ends every ban of it that this server made: the agent's own entry, and those of all jails in fail2ban. The fleet is told
that somebody here let it go, which shows in \`fleetban explain\`; it is no pardon. What the fleet lists stays in force, here
as well: \`fleetban unban ADDRESS\` on the coordinator lets it in everywhere.
Exit codes: 0 done, also when nothing banned it; 1 no agent; 2 wrong usage.`;

const IMPORT_HELP = `
All lines are read first, and the agent is asked about each; if one can't be imported (no address, a network, protected or
exempt), nothing is, unless --skip-bad. Imported again, nothing counts twice. More than 4,000 new bans are told slowly, 500 a
minute: the coordinator would not count more.
Exit codes: 0 done, 1 nothing imported or the agent gone amid it, 2 wrong usage.`;

function print(lines: readonly string[]): void {
  for (const line of lines) console.log(line);
}
