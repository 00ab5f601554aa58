/** A coordinator in a network of its own, for one test file: built, started, and taken down with everything in it. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentOptions, createAgent, type FleetAgent } from "./agent.ts";
import { type CoordinatorOptions, type FleetCoordinator, startCoordinator } from "./coordinator.ts";
import type { Host } from "./host.ts";
import { createNetwork, type Network } from "./network.ts";
import { buildPrograms } from "./programs.ts";
import { type FleetServer, type ServerOptions, startServer } from "./server.ts";

export interface Fleet extends AsyncDisposable {
  readonly dir: string;
  readonly network: Network;
  readonly coordinator: FleetCoordinator;
  /** With sshd, fail2ban and agent. Servers are numbered from 1. */
  server(number: number, options?: ServerOptions): Promise<FleetServer>;
  /** A host with nothing but an agent, enrolled and not started. */
  agent(number: number, options?: AgentOptions): Promise<FleetAgent>;
}

export const COORDINATOR = "20.40.0.10";
export const serverAddress = (number: number): string => `20.40.0.${10 + number}`;
/** Globally routable addresses, as attackers' are; nothing can leave the network. */
export const ATTACKER = "45.83.64.9";
export const WITNESS = "91.189.91.81";

const NAMES = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

export interface FleetOptions {
  /** Once the network is there, before the coordinator starts. */
  readonly coordinator?: (network: Network, dir: string) => Promise<CoordinatorOptions>;
}

export async function openFleet({ coordinator: optionsFor }: FleetOptions = {}): Promise<Fleet> {
  await using undo = new AsyncDisposableStack();
  await buildPrograms();
  const dir = await mkdtemp(join(tmpdir(), "fb-fleet-"));
  undo.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
  await chmod(dir, 0o755); // the coordinator's Postgres has an account of its own
  const network = undo.use(await createNetwork());
  const options = (await optionsFor?.(network, dir)) ?? {};
  const home: Host = await network.host("coordinator", [COORDINATOR]);
  const coordinator = await startCoordinator(home, join(dir, "coordinator"), options);
  const kept = undo.move();
  return {
    dir,
    network,
    coordinator,
    server: (number, wish) =>
      startServer(network, coordinator, dir, { name: nameOf(number), address: serverAddress(number) }, wish),
    async agent(number, wish) {
      const host = await network.host(nameOf(number), [serverAddress(number)]);
      return await createAgent(host, join(dir, host.name), coordinator, wish);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function nameOf(number: number): string {
  return NAMES[number] ?? `server-${number}`;
}
