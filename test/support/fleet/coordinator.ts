/** A coordinator on a host of a test network: the program that ships, over an embedded store or a given one. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createHostProgram, type HostProgram } from "./child.ts";
import { runCli, runCliText } from "./cli.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { programPath } from "./programs.ts";

export interface CoordinatorOptions {
  readonly databaseUrl?: string;
  readonly redisUrl?: string;
  readonly abuseipdb?: { readonly url: string; readonly key: string };
  /** Further keys of coordinator.yaml, by their path. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface FleetCoordinator extends Pick<HostProgram, "host" | "stop" | "kill9" | "pid" | "log"> {
  /** `host:port` for agents. */
  readonly address: string;
  readonly socket: string;
  readonly dir: string;
  /** Resolves when it is ready. */
  start(): Promise<void>;
  /** `fleetban …  --json`. */
  cli<Answer>(args: readonly string[]): Promise<Answer>;
  /** `fleetban …` as people see it. */
  cliText(args: readonly string[]): Promise<string>;
  enrollToken(): Promise<string>;
}

const FLEET_PORT = 7_741;
const READY_MS = 120_000;

/** Started and ready. `dir` must be one that another account can reach when tests run as root. */
export async function startCoordinator(
  host: Host,
  dir: string,
  options: CoordinatorOptions = {},
): Promise<FleetCoordinator> {
  await mkdir(dir, { recursive: true });
  const socket = join(dir, "admin.sock");
  const config = join(dir, "coordinator.yaml");
  await writeFile(config, JSON.stringify(configOf(host, dir, socket, options), null, 2)); // JSON is YAML
  const log = join(dir, "coordinator.log");
  const program = createHostProgram(host, programPath("fleetban-coordinator"), ["--config", config], log);
  const cli = <Answer>(args: readonly string[]) => runCli<Answer>(socket, args);

  const coordinator: FleetCoordinator = {
    ...program,
    address: `${host.addresses[0]}:${FLEET_PORT}`,
    socket,
    dir,
    cli,
    cliText: (args) => runCliText(socket, args),
    async start() {
      program.start();
      const ready = async () => {
        if (!program.isRunning()) return "ended" as const;
        return await cli(["status"]).then(() => "ready" as const);
      };
      const state = await eventually(`the coordinator answers (${log})`, ready, READY_MS);
      if (state === "ended") throw new Error(`the coordinator ended: ${(await program.log()).slice(-2_000)}`);
    },
    enrollToken: async () => (await cli<{ token: string }>(["enrollments", "create", "--reason", "test"])).token,
  };
  await coordinator.start();
  return coordinator;
}

function configOf(host: Host, dir: string, socket: string, options: CoordinatorOptions): Record<string, unknown> {
  const { databaseUrl, redisUrl, abuseipdb, config = {} } = options;
  return {
    data_dir: join(dir, "data"),
    admin_socket: socket,
    "listen.fleet_port": FLEET_PORT,
    "advertise.hosts": [...host.addresses],
    ...(databaseUrl === undefined ? {} : { database_url: databaseUrl }),
    ...(redisUrl === undefined ? {} : { redis_url: redisUrl }),
    ...(abuseipdb === undefined ? {} : { "feeds.abuseipdb.url": abuseipdb.url, "feeds.abuseipdb.key": abuseipdb.key }),
    ...config,
  };
}
