/** The pages that are made from the tables by which the programs read configuration and policy. */
import { join } from "node:path";
import { AGENT_CONFIG } from "../agent/src/config-table.ts";
import { CONFIG_TABLE } from "../coordinator/src/config.ts";
import { policySchemaText } from "../coordinator/src/policy/policy-schema.ts";
import { POLICY_TABLE } from "../coordinator/src/policy/policy-table.ts";
import type { ConfigTable, ConfigValueKind } from "../kit/src/config.ts";
import { ROOT } from "./tool.ts";

const CONFIG_DOCS = join(ROOT, "docs/configuration.md");
const POLICY_SCHEMA = join(ROOT, "docs/policy.schema.json");

const POLICY_HEAD = `
## The policy

Applied with \`fleetban policy apply FILE\` and kept in the database; without one, these defaults hold. An editor completes
and checks it by [policy.schema.json](policy.schema.json). \`*.NAME.*\` stands for names of your own.
`;

/** Path and text of each. */
export function tableDocs(): ReadonlyMap<string, string> {
  return new Map([
    [CONFIG_DOCS, configDocs()],
    [POLICY_SCHEMA, policySchemaText()],
  ]);
}

const HEAD = `# Configuration

Both programs read one YAML file. A key is a path: \`health.port\` may be written so, or as \`port\` below \`health\`. Every key
has a default; unknown keys, wrong values and their lines are all told at once, and the program does not start.

*This page is made from the programs' own tables by \`npm run generate\`.*
`;

function configDocs(): string {
  return [
    HEAD,
    "## The agent: `/etc/fleetban/agent.yaml`\n",
    table(AGENT_CONFIG),
    "\n## The coordinator: `/etc/fleetban/coordinator.yaml`\n",
    table(CONFIG_TABLE),
    POLICY_HEAD,
    table(POLICY_TABLE),
    "",
  ].join("\n");
}

function table(keys: ConfigTable): string {
  const rows = Object.entries(keys).flatMap(([key, spec]) =>
    spec.kind === "named"
      ? Object.entries(spec.of).map(([inner, of]) => row(`${key}.NAME.${inner}`, of as ConfigValueKind))
      : [row(key, spec)],
  );
  return ["| key | value | default | meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

function row(key: string, spec: ConfigValueKind): string {
  return `| \`${key}\` | ${takes(spec)} | ${defaultOf(spec)} | ${spec.description.replaceAll("|", "\\|")} |`;
}

function takes(spec: ConfigValueKind): string {
  if (spec.kind === "choice") return spec.of.map((choice) => `\`${choice}\``).join(", ");
  if (spec.kind === "number") {
    const { min = 0, max, unit } = spec;
    return `${max === undefined ? `${min} or more` : `${min} to ${max}`}${unit === undefined ? "" : ` ${unit}`}`;
  }
  if (spec.kind === "duration") return "duration, like `90s`, `10m`, `7d`";
  if (spec.kind === "bytes") return "size, like `64MiB`";
  if (spec.kind === "flag") return "`true`, `false`";
  return spec.kind === "texts" ? "list of texts" : "text";
}

function defaultOf(spec: ConfigValueKind): string {
  if (!("default" in spec)) return "must be given";
  const { default: value } = spec;
  if (value === undefined) return "(none)";
  if (value === "") return "(empty)";
  return Array.isArray(value) ? `\`[${value.join(", ")}]\`` : `\`${String(value)}\``;
}
