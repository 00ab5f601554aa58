/** The five lines a start ends with: what runs where, and what to type next; each works as it stands there. */
import { relative } from "node:path";
import { ROOT } from "../tool.ts";

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

export function closingLines(running: Running): readonly string[] {
  const { host, ports, agentName, isEnforcing } = running;
  const fleetban = `npm run -s fleetban --${running.isUsualPlace ? "" : ` --socket ${quoted(running.adminSocket)}`}`;
  const agentConfig = quoted(fromRoot(running.agentConfig));
  const mode = isEnforcing ? "enforcing in this machine's kernel" : "in dry-run: it counts and drops nothing";
  return [
    `coordinator   ${host}, ports ${ports.fleet} (agents), ${ports.enrollment} (enrollment), ${ports.web} (web); data in ${fromRoot(running.dataDir)}`,
    `agent         ${agentName}, ${mode}: npm run -s fleetban-agent -- status --config ${agentConfig}`,
    `see the fleet ${fleetban} status`,
    `ban, unban    ${fleetban} ban 45.83.64.9 --for 1h --reason test`,
    `stop          Ctrl-C; the next npm start goes on from here. A look at why: ${fleetban} explain 45.83.64.9`,
  ];
}

function fromRoot(path: string): string {
  const short = relative(ROOT, path);
  return short.startsWith("..") ? path : `./${short}`;
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
