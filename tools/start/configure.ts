/**
 * The two configuration files of an installation in one folder.
 *
 * Ports are chosen at the first start and kept, unless the command line names others; what an operator adds (an AbuseIPDB
 * key, a Redis) stays.
 */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { hostname } from "node:os";
import { type ConfigFile, ensureConfig, type Keys } from "./config-file.ts";
import type { WantedPort } from "./free-ports.ts";
import type { Layout } from "./layout.ts";
import type { StartOptions } from "./options.ts";

export interface Configured {
  readonly host: string;
  readonly webHost: string;
  readonly healthHost: string;
  readonly ports: {
    readonly fleet: number;
    readonly enrollment: number;
    readonly web: number;
    readonly health: number;
  };
  readonly agentName: string;
}

const HOST = "127.0.0.1";
const FIRST_PORT = 7_741;
const FAIL2BAN = "/run/fail2ban/fail2ban.sock";
const HANDOFF = "/var/lib/fail2ban/fleetban/handoff";

const COORDINATOR_HEAD = `# The coordinator of \`npm start\`. Every key: docs/configuration.md. Yours to edit; Ctrl-C and npm start put it in force.
# npm start itself sets data_dir and admin_socket at each start, and the ports when --port-base is given.
# For agents on other servers: listen.host "*", and in advertise.hosts the name or address they reach this machine by.
`;
const AGENT_HEAD = `# The agent of \`npm start\`. Every key: docs/configuration.md. Yours to edit; Ctrl-C and npm start put it in force.
# npm start itself sets data_dir, coordinators, socket and backend (dry-run, with --enforce auto) at each start.
`;

export async function configure(layout: Layout, options: StartOptions): Promise<Configured> {
  const base = options.portBase ?? FIRST_PORT;
  const coordinatorPorts = {
    "listen.fleet_port": base,
    "listen.enrollment_port": base + 1,
    "web.port": base + 2,
  };
  const coordinator = await ensureConfig({
    path: layout.coordinator.config,
    head: COORDINATOR_HEAD,
    first: { "listen.host": HOST, "advertise.hosts": [HOST], ...coordinatorPorts },
    always: {
      data_dir: layout.coordinator.dataDir,
      admin_socket: layout.adminSocket,
      ...(options.portBase === undefined ? {} : coordinatorPorts),
    },
  });
  const fleet = portOf(coordinator, "listen.fleet_port", FIRST_PORT);
  const host = textOf(coordinator, "listen.host", "*");
  const agent = await ensureConfig({
    path: layout.agent.config,
    head: AGENT_HEAD,
    first: { name: hostname(), "health.port": base + 3, ...(await fail2banKeys()) },
    always: {
      data_dir: layout.agent.dataDir,
      coordinators: [`${host === "*" ? HOST : host}:${fleet}`],
      socket: layout.agentSocket,
      backend: options.isEnforcing ? "auto" : "dry-run",
      ...(options.portBase === undefined ? {} : { "health.port": base + 3 }),
    },
  });
  return {
    host,
    webHost: textOf(coordinator, "web.host", HOST),
    healthHost: textOf(agent, "health.host", HOST),
    ports: {
      fleet,
      enrollment: portOf(coordinator, "listen.enrollment_port", FIRST_PORT + 1),
      web: portOf(coordinator, "web.port", FIRST_PORT + 2),
      health: portOf(agent, "health.port", FIRST_PORT + 3),
    },
    agentName: textOf(agent, "name", hostname()),
  };
}

export function wantedPorts({ host, webHost, healthHost, ports }: Configured): readonly WantedPort[] {
  return [
    { host, port: ports.fleet, use: "agents" },
    { host, port: ports.enrollment, use: "enrollment" },
    { host: webHost, port: ports.web, use: "web" },
    { host: healthHost, port: ports.health, use: "the agent's health" },
  ];
}

/** fail2ban's files are root's: for anybody else these sources are off, rather than a warning that can't be cured. */
async function fail2banKeys(): Promise<Keys> {
  const mayUse = await access(FAIL2BAN, constants.W_OK).then(
    () => true,
    () => false,
  );
  return { "fail2ban.socket": mayUse ? FAIL2BAN : "", "fail2ban.handoff": mayUse ? HANDOFF : "" };
}

function portOf(file: ConfigFile, key: string, otherwise: number): number {
  const value = file.get(key);
  return typeof value === "number" ? value : otherwise; // anything else is refused by the program itself, with file and line
}

function textOf(file: ConfigFile, key: string, otherwise: string): string {
  const value = file.get(key);
  return typeof value === "string" && value !== "" ? value : otherwise;
}
