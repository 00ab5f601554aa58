/** The first agent.yaml: every key with its meaning and default, all of them as comments. */
import type { ConfigTable } from "@fleetban/kit/config";
import { AGENT_CONFIG } from "../../config-table.ts";

const HEAD =
  "# The fleetban agent's configuration. What is commented out is the default; take away the # to change it.";

export function configTemplate(table: ConfigTable = AGENT_CONFIG): string {
  const keys = Object.entries(table).flatMap(([key, spec]) => {
    if (spec.kind === "named") return [];
    const value = spec.default === undefined ? "" : ` ${JSON.stringify(spec.default)}`;
    return [["", `# ${spec.description}`, `#${key}:${value}`].join("\n")];
  });
  return `${[HEAD, ...keys].join("\n")}\n`;
}
