/** What benchmarks of whole programs stand on: namespaces with a coordinator that has its own Postgres, and servers. */
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentOptions, createAgent, type FleetAgent } from "../test/support/fleet/agent.ts";
import { type CoordinatorOptions, type FleetCoordinator, startCoordinator } from "../test/support/fleet/coordinator.ts";
import type { Host } from "../test/support/fleet/host.ts";
import { createNetwork, type Network } from "../test/support/fleet/network.ts";

export interface Stage {
  readonly network: Network;
  readonly coordinator: FleetCoordinator;
  /** A host with an agent, enrolled and not started, that follows the hand-off file. */
  server(name: string, address: string, config?: AgentOptions["config"]): Promise<Server>;
}

export interface Server {
  readonly host: Host;
  readonly agent: FleetAgent;
  readonly handoff: string;
}

const COORDINATOR = "20.40.0.10";

export async function openStage(undo: AsyncDisposableStack, options: CoordinatorOptions = {}): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), "fb-bench-"));
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  await chmod(dir, 0o755); // the coordinator's Postgres has an account of its own
  const network = undo.use(await createNetwork());
  const host = await network.host("coordinator", [COORDINATOR]);
  const coordinator = await startCoordinator(host, join(dir, "coordinator"), options);
  return {
    network,
    coordinator,
    async server(name, address, config = {}) {
      const home = join(dir, name);
      const handoff = join(home, "handed/handoff");
      await mkdir(join(home, "handed"), { recursive: true });
      const server = await network.host(name, [address]);
      const agent = await createAgent(server, home, coordinator, {
        config: { "fail2ban.handoff": handoff, ...config },
      });
      return { host: server, agent, handoff };
    },
  };
}
