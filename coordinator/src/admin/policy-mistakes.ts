/**
 * What is wrong with a policy's text: what everybody can tell of it, and what only this coordinator can, by its packs and its
 * coordinator.yaml. Check, plan and apply tell the same; a policy that is in force already is never refused.
 */
import { CONFIG_MAX_CHARACTERS, type ComplainAt, ConfigError, hasKey } from "@fleetban/kit/config";
import { nearest } from "@fleetban/kit/nearest";
import type { CheckPolicyRequest, PolicyMistake } from "@fleetban/proto/wire/admin";
import { CONFIG_TABLE } from "../config.ts";
import { NEWS_TOPICS } from "../notifications/notification-table.ts";
import { readCandidate } from "../policies/policy-life.ts";
import { readPolicy } from "../policy/policy-file.ts";
import type { PolicyFile } from "../policy/policy-table.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

/** It is shown on terminals and kept as text, which neither stands. */
const CONTROL = /[^\P{Cc}\t\n\r]/u;
const ALL_CHANNELS = "*";

type MistakeParts = Pick<AdminParts, "policies" | "notifications" | "reports">;

export async function mistakesOf(parts: MistakeParts, { body, file }: CheckPolicyRequest): Promise<PolicyMistake[]> {
  if (body.length > CONFIG_MAX_CHARACTERS) {
    throw new AdminError("bad-argument", `a policy of ${body.length} characters: at most ${CONFIG_MAX_CHARACTERS}`);
  }
  const control = body.split("\n").findIndex((line) => CONTROL.test(line));
  if (control >= 0) return [{ line: control + 1, key: "", problem: "has a control character; remove it" }];
  const packs = [...(await parts.policies.readPacks()).keys()];
  try {
    readPolicy(body, file || "policy.yaml", {
      compare(policy, complain) {
        for (const name of policy.packs) if (!packs.includes(name)) complain(["packs"], packProblem(name, packs));
        compareWithConfig(policy, parts, complain);
      },
      homeOf: (key) => (hasKey(CONFIG_TABLE, key) ? "coordinator.yaml" : undefined),
    });
    readCandidate(parts.policies, body, file || "policy.yaml", 0);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.mistakes.map(({ line, key, problem }) => ({ line, key, problem }));
  }
}

/** Throws the first of them. */
export async function refuseMistakes(parts: MistakeParts, request: CheckPolicyRequest): Promise<void> {
  const [first, ...others] = await mistakesOf(parts, request);
  if (first === undefined) return;
  const where = `${request.file || "policy.yaml"}${first.line === 0 ? "" : `:${first.line}`}`;
  const more = others.length === 0 ? "" : `; and ${others.length} more`;
  const what = first.key === "" ? first.problem : `${first.key} ${first.problem}`;
  throw new AdminError("bad-argument", `${where}: ${what}${more}`, {
    hint: "`fleetban policy check FILE` tells all mistakes",
  });
}

/** What would go nowhere, because coordinator.yaml has no place for it. */
function compareWithConfig(
  policy: PolicyFile,
  { notifications, reports }: Pick<MistakeParts, "notifications" | "reports">,
  complain: ComplainAt,
): void {
  const channels = notifications.channels.map(({ name }) => name);
  for (const topic of NEWS_TOPICS) {
    for (const name of policy[`notifications.${topic}.to`]) {
      if (name !== ALL_CHANNELS && !channels.includes(name))
        complain(["notifications", topic, "to"], channelProblem(name, channels));
    }
  }
  if (policy["report.mode"] === "send" && reports.api === undefined) {
    const remedy = "set reports.abuseipdb.key_file in coordinator.yaml and start the coordinator anew, first";
    complain(["report", "mode"], `is "send", and this coordinator has no key of AbuseIPDB; ${remedy}`);
  }
}

function channelProblem(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  const [there, other] =
    known.length === 0 ? ["coordinator.yaml has none", "write []"] : [`there are ${known.join(", ")}`, "name another"];
  const remedy = meant === undefined ? `${there}: add it to coordinator.yaml, or ${other}` : `did you mean ${meant}?`;
  return `has ${JSON.stringify(name)}, and this coordinator has no such channel; ${remedy}`;
}

function packProblem(name: string, packs: readonly string[]): string {
  const meant = nearest(name, packs);
  const remedy = meant === undefined ? "see: fleetban packs list" : `did you mean ${meant}?`;
  return `has ${JSON.stringify(name)}, and there is no such pack; ${remedy}`;
}
