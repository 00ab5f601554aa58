/** `fleetban policy`: by what the fleet judges, tried before it is in force and taken back after. */
import { basename } from "node:path";
import { plain, renderTable } from "@fleetban/kit/cli-output";
import type { Command } from "commander";
import { durationSeconds, wholeNumber } from "../arguments.ts";
import type { Cli } from "../cli.ts";
import { CliError, usageError } from "../cli-error.ts";
import { example, type Run } from "../run.ts";
import { POLICY_COLUMNS, planText, policyRow, policyText } from "../show-policy.ts";

interface PlanOptions {
  readonly days?: number;
  readonly limit?: number;
}

interface ApplyOptions extends PlanOptions {
  readonly confirmWithin?: number;
  readonly canary?: string;
  readonly for?: number;
  readonly reason: string;
  readonly yes: boolean;
}

/** A week of a busy fleet is replayed in half a minute, and its changes are made in slices. */
const PLAN_WITHIN_MS = 300_000;
const APPLY_WITHIN_MS = 900_000;
const FILE = "the policy file; - is stdin";

export function addPolicy(program: Command, run: Run): void {
  const policy = program
    .command("policy")
    .alias("policies")
    .description("by what the fleet judges: plan it, try it, apply it, take it back");
  addReading(policy, run);
  addChanging(policy, run);
}

function addReading(policy: Command, run: Run): void {
  policy
    .command("check")
    .description("tell every mistake of a file, and change nothing")
    .argument("<file>", FILE)
    .action(
      run(async (cli, path: string) => {
        const given = await fileOf(cli, path);
        const name = path === "-" ? given.file : path;
        const answer = await cli.calls.call((admin) => admin.checkPolicy, given);
        const told = answer.mistakes.map(({ line, key, problem }) => {
          return plain(`${name}${line === 0 ? "" : `:${line}`}: ${key === "" ? "" : `${key} `}${problem}`);
        });
        cli.show(answer.mistakes, () => (told.length === 0 ? `${name}: no mistakes` : told.join("\n")));
        if (told.length === 0) return;
        const what = told.length === 1 ? "a mistake" : `${told.length} mistakes`;
        throw new CliError("bad-policy", `${name} has ${what}`, { hint: "the schema: fleetban policy schema" });
      }),
    )
    .addHelpText("after", example("policy check policy.yaml", "policy check -"));

  planOptions(policy.command("plan"))
    .description("what a file would list and unlist, by the sightings of the last days; changes nothing")
    .argument("<file>", FILE)
    .action(
      run(async (cli, path: string, { days = 0, limit = 0 }: PlanOptions) => {
        const request = { ...(await fileOf(cli, path)), days, limit };
        const plan = await cli.calls.call((admin) => admin.planPolicy, request, { withinMs: PLAN_WITHIN_MS });
        cli.show(plan, () => planText(plan, cli.nowMs));
      }),
    )
    .addHelpText("after", example("policy plan policy.yaml", "policy plan policy.yaml --days 30 --limit 100"));

  policy
    .command("show")
    .description("the policy in force, or one of those that were")
    .argument("[number]", "as `policy history` shows it", wholeNumber)
    .action(
      run(async (cli, policyNo: number | undefined) => {
        const answer = await cli.calls.call((admin) => admin.showPolicy, { policyNo: policyNo ?? 0 });
        const { policy: status, body } = answer;
        cli.show(answer, () => (status === undefined ? body : policyText(status, body, cli.nowMs)));
      }),
    )
    .addHelpText("after", example("policy show", "policy show 3"));

  policy
    .command("history")
    .description("all that were applied, newest first")
    .action(
      run(async (cli) => {
        const { policies } = await cli.calls.call((admin) => admin.listPolicies, {});
        cli.show(policies, () =>
          renderTable(
            POLICY_COLUMNS,
            policies.map((one) => policyRow(one, cli.nowMs)),
            "no policy was applied: the defaults hold",
          ),
        );
      }),
    );

  policy
    .command("schema")
    .description("the JSON Schema of the file, for editors")
    .action(
      run(async (cli) => {
        const { schema } = await cli.calls.call((admin) => admin.getPolicySchema, {});
        cli.show(JSON.parse(schema), () => schema.trimEnd());
      }),
    );
}

function addChanging(policy: Command, run: Run): void {
  planOptions(policy.command("apply"))
    .description("put a file in force: its plan is carried out")
    .argument("<file>", FILE)
    .option("--confirm-within <duration>", "it goes back by itself unless `policy confirm` follows", durationSeconds)
    .option("--canary <group>", "what it would add is listed for this group alone, at first")
    .option("--for <duration>", "so long, without an alarm; then for all", durationSeconds)
    .option("--reason <text>", "why, for the audit log", "")
    .option("--yes", "carry out what is wide, too", false)
    .action(run(apply))
    .addHelpText(
      "after",
      example(
        "policy apply policy.yaml --confirm-within 10m",
        "policy apply policy.yaml --canary edge --for 1h --reason 'a new feed'",
      ),
    );

  for (const [verb, description, pick] of [
    ["confirm", "keep the policy that waits for it; of one on trial: in force for all, now", "confirmPolicy"],
    ["rollback", "take the newest policy back, with all that followed from it", "rollbackPolicy"],
    ["alarm", "end a trial: something is wrong", "alarmPolicy"],
  ] as const) {
    policy
      .command(verb)
      .description(description)
      .option("--reason <text>", "why, for the audit log", "")
      .action(
        run(async (cli, { reason }: { reason: string }) => {
          const within = { withinMs: APPLY_WITHIN_MS };
          const answer = await cli.calls.call((admin) => admin[pick], { reason }, within);
          cli.show(answer, () => answer.done.join("\n"));
        }),
      )
      .addHelpText("after", example(`policy ${verb} --reason 'looked at it'`));
  }
}

async function apply(cli: Cli, path: string, options: ApplyOptions): Promise<void> {
  const { days = 0, limit = 0, confirmWithin = 0, canary = "", for: seconds = 0, reason, yes } = options;
  if ((canary === "") !== (seconds === 0)) {
    throw usageError("a trial needs a group and a time", "give both: --canary GROUP --for 1h");
  }
  const trial = { confirmSeconds: confirmWithin, canaryGroup: canary, canarySeconds: seconds };
  const request = { ...(await fileOf(cli, path)), ...trial, days, limit, reason, yes };
  const answer = await cli.calls.call((admin) => admin.applyPolicy, request, { withinMs: APPLY_WITHIN_MS });
  const { plan, done, needsYes } = answer;
  const text = plan === undefined ? "" : planText(plan, cli.nowMs);
  cli.show(answer, () => [text, done.join("\n")].filter((part) => part !== "").join("\n\n"));
  if (!needsYes) return;
  throw new CliError("needs-yes", "this changes much at once: nothing was changed", {
    hint: "look at the plan; if it is meant, add --yes, or try it first: --canary GROUP --for 1h",
    exitCode: 2, // as a ban that wants --yes
  });
}

function planOptions(command: Command): Command {
  return command
    .option("--days <count>", "so many days of sightings are decided anew (default: 7)", wholeNumber)
    .option("--limit <count>", "so many changes are shown (default: 20)", wholeNumber);
}

/** With the name by which messages know it. */
async function fileOf({ parts }: Cli, path: string): Promise<{ body: string; file: string }> {
  if (path === "-") {
    const body = await parts.files.readInput();
    if (body.trim() !== "") return { body, file: "stdin" };
    throw new CliError("bad-policy", "stdin is empty: a policy of defaults alone is written as a comment", {
      hint: "did the command before the | fail? For the defaults: echo '# defaults' | fleetban policy apply -",
    });
  }
  return { body: await parts.files.read(path), file: basename(path) };
}
