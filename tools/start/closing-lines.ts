/** The five lines a start ends with: what runs where, and what to type next; each works as it stands there. */
import { pathFromRoot, quoted } from "./shell-text.ts";

export interface Running {
  readonly dataDir: string;
  readonly isUsualPlace: boolean;
  readonly host: string;
  readonly ports: { readonly fleet: number; readonly enrollment: number; readonly web: number };
  readonly agentName: string;
  readonly isEnforcing: boolean;
  readonly adminSocket: string;
  readonly agentConfig: string;
}

/** Somebody's scanner; a documentation address would be refused. */
const EXAMPLE = "45.83.64.9";

export function closingLines(running: Running): readonly string[] {
  const { host, ports, agentName, isEnforcing } = running;
  const fleetban = `npm run -s fleetban --${running.isUsualPlace ? "" : ` --socket ${quoted(running.adminSocket)}`}`;
  const data = quoted(pathFromRoot(running.dataDir));
  const config = quoted(pathFromRoot(running.agentConfig));
  const mode = isEnforcing ? "enforces in this machine's kernel" : "dry-run: counts, drops nothing";
  return [
    `running       coordinator at ${host}:${ports.fleet} (enrollment ${ports.enrollment}, web ${ports.web}), agent "${agentName}" (${mode}); data in ${data}; Ctrl-C stops it`,
    `the fleet     ${fleetban} status`,
    `the agent     npm run -s fleetban-agent -- status --config ${config}`,
    `ban           ${fleetban} ban ${EXAMPLE} --for 1h --reason test`,
    `ask why       ${fleetban} explain ${EXAMPLE}`,
  ];
}
