/** An agent on a host of a test network: the program that ships, with the real kernel of its namespace. */

import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { type AgentStatus, notReadyBecause } from "@fleetban/agent/health/status";
import { createHostProgram, type HostProgram } from "./child.ts";
import type { FleetCoordinator } from "./coordinator.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { programPath } from "./programs.ts";

export interface AgentOptions {
  /** Further keys of agent.yaml, by their path. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface FleetAgent extends Omit<HostProgram, "start"> {
  readonly name: string;
  readonly dataDir: string;
  readonly configFile: string;
  /** Starts it; resolves when it is connected, has mirrored its lists and enforces them. */
  start(): Promise<void>;
  /** Starts it and does not wait. */
  launch(): void;
  status(): Promise<AgentStatus>;
  /** Gives lines to its unix socket, one JSON value each. */
  sendSocket(...records: readonly unknown[]): Promise<void>;
  enroll(token: string): Promise<void>;
}

const READY_MS = 90_000; // seen: 1 s; the machine may be busy

/** Enrolled, not started. */
export async function createAgent(
  host: Host,
  dir: string,
  coordinator: FleetCoordinator,
  options: AgentOptions = {},
): Promise<FleetAgent> {
  const dataDir = join(dir, "data");
  await mkdir(dataDir, { recursive: true });
  const configFile = join(dir, "agent.yaml");
  const socket = join(dir, "agent.sock");
  const config = { data_dir: dataDir, name: host.name, socket, "fail2ban.handoff": "", "fail2ban.socket": "" };
  await writeFile(configFile, JSON.stringify({ ...config, ...options.config }, null, 2)); // JSON is YAML
  const command = programPath("fleetban-agent");
  const program = createHostProgram(host, command, ["run", "--config", configFile], join(dir, "agent.log"));

  const agent: FleetAgent = {
    ...program,
    name: host.name,
    dataDir,
    configFile,
    launch: program.start,
    async start() {
      program.start();
      await eventually(`the agent on ${host.name} is ready (${program.logFile})`, isReady, READY_MS);
    },
    status: async () =>
      JSON.parse(await host.run(command, ["status", "--json", "--config", configFile])) as AgentStatus,
    async sendSocket(...records) {
      const connection = connect(socket);
      await once(connection, "connect");
      connection.end(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
      connection.resume();
      await once(connection, "close");
    },
    async enroll(token) {
      await host.run(command, ["enroll", token, "--config", configFile]);
    },
  };

  async function isReady(): Promise<boolean> {
    if (!program.isRunning()) throw new Error(`it ended: ${(await program.log()).slice(-2_000)}`);
    const status = await agent.status();
    return status.link.kind === "online" && status.lists.length > 0 && notReadyBecause(status) === undefined;
  }

  await agent.enroll(await coordinator.enrollToken());
  return agent;
}
