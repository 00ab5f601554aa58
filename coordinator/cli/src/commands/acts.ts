/** The everyday acts: `ban`, `unban`, `allow`. */
import type { Command } from "commander";
import { durationSeconds, moment } from "../arguments.ts";
import type { Cli } from "../cli.ts";
import { usageError } from "../cli-error.ts";
import { example, type Run } from "../run.ts";
import type { ChangeOptions } from "../show-change.ts";
import { showChange } from "../show-change.ts";

interface ActOptions {
  readonly for?: number;
  readonly until?: number;
  readonly reason: string;
  readonly wait?: number | true;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

interface UnbanOptions extends ActOptions {
  readonly exact: boolean;
  readonly local: boolean;
}

const WAIT_SECONDS = 10;
/** Beyond the wait, for the commit itself. */
const MARGIN_MS = 20_000;

export function addActs(program: Command, run: Run): void {
  actCommand(program, "ban", "list an address or network on every server", "until it is ended")
    .alias("banip")
    .action(
      run(async (cli, prefix: string, options: ActOptions) => {
        const { request, change } = requestOf(cli, prefix, options);
        showChange(cli, await cli.calls.call((admin) => admin.ban, request, deadline(change)), change);
      }),
    )
    .addHelpText("after", example("ban 8.8.8.8 --for 7d --reason 'scans us' --wait", "ban 8.8.8.0/24 --dry-run"));

  actCommand(program, "unban", "pardon an address or network: let it through, whatever feeds and agents say", "24h")
    .alias("unbanip")
    .option("--exact", "one IPv6 address only, not its /64", false)
    .option("--local", "lift also what a server's own fail2ban bans from now on", false)
    .action(
      run(async (cli, prefix: string, options: UnbanOptions) => {
        const { request, change } = requestOf(cli, prefix, options);
        const { exact, local } = options;
        const answer = await cli.calls.call((admin) => admin.unban, { ...request, exact, local }, deadline(change));
        showChange(cli, answer, change);
      }),
    )
    .addHelpText("after", example("unban 8.8.8.8", "unban 8.8.8.8 --for 30d --local --reason 'our monitoring'"));

  actCommand(program, "allow", "never list an address or network", "until it is ended")
    .action(
      run(async (cli, prefix: string, options: ActOptions) => {
        const { request, change } = requestOf(cli, prefix, options);
        showChange(cli, await cli.calls.call((admin) => admin.allow, request, deadline(change)), change);
      }),
    )
    .addHelpText("after", example("allow 8.8.8.0/24 --reason 'the office'", "allow 8.8.8.8 --until 2027-01-31"));
}

export function waitMsOf(wait: number | true | undefined): number {
  if (wait === undefined) return 0;
  return 1_000 * (wait === true ? WAIT_SECONDS : wait);
}

export function deadline({ waitMs }: Pick<ChangeOptions, "waitMs">): { withinMs: number } {
  return { withinMs: waitMs + MARGIN_MS };
}

function actCommand(program: Command, name: string, description: string, lasts: string): Command {
  return program
    .command(name)
    .description(description)
    .argument("<prefix>", "an address or network, such as 8.8.8.8 or 2a00:1450::/32")
    .option("--for <duration>", `end after this time, such as 90m, 12h or 7d (default: ${lasts})`, durationSeconds)
    .option("--until <moment>", "end then: a date (UTC) such as 2026-12-31, or 2026-12-31T18:00:00Z", moment)
    .option("--reason <text>", "why, for the audit log", "")
    .option(
      "--wait [duration]",
      `wait until every agent has it in its kernel (default: ${WAIT_SECONDS}s)`,
      durationSeconds,
    )
    .option("--dry-run", "show what would be done, and do nothing", false)
    .option("--yes", "carry out what is wide, too", false);
}

/** The coordinator is told for how long: its clock is the one that counts, and this machine's may differ a little. */
function secondsOf({ nowMs }: Pick<Cli, "nowMs">, options: ActOptions): number {
  if (options.until === undefined) return options.for ?? 0;
  if (options.for !== undefined) {
    throw usageError("--for and --until: both say when it ends", "give one of them");
  }
  const seconds = Math.ceil((options.until - nowMs) / 1_000);
  if (seconds > 0) return seconds;
  const when = new Date(options.until).toISOString().replace(".000", "");
  throw usageError(`--until ${when}: is over`, "name a moment to come");
}

function requestOf(cli: Pick<Cli, "nowMs">, prefix: string, options: ActOptions) {
  const { reason, dryRun, yes } = options;
  const waitMs = waitMsOf(options.wait);
  return {
    request: { prefix, seconds: secondsOf(cli, options), reason, waitMs, dryRun, yes },
    change: { dryRun, waitMs },
  };
}
