/** A server of a fleet as there are many: sshd, fail2ban that watches it, an agent, and packets that are counted. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createAgent, type FleetAgent } from "./agent.ts";
import type { FleetCoordinator } from "./coordinator.ts";
import { createFail2ban, type FleetFail2ban } from "./fail2ban.ts";
import type { Host } from "./host.ts";
import { readKernelSet } from "./kernel-set.ts";
import type { Network } from "./network.ts";
import { type Receiver, startReceiver } from "./packets.ts";
import { startSshd } from "./sshd.ts";

export interface ServerOptions {
  readonly linkUp?: boolean;
  readonly maxRetry?: number;
  readonly banTime?: string;
  /** Its agent follows fail2ban.log, and is handed nothing over. */
  readonly isLogOnly?: boolean;
  /** Further keys of agent.yaml, by their path. */
  readonly agentConfig?: Readonly<Record<string, unknown>>;
  /** Leave the agent and fail2ban for the caller to start. */
  readonly isIdle?: boolean;
}

export interface FleetServer {
  readonly host: Host;
  readonly address: string;
  readonly authLog: string;
  /** A private key with which root may log in. */
  readonly sshKey: string;
  readonly fail2ban: FleetFail2ban;
  readonly agent: FleetAgent;
  readonly receiver: Receiver;
  /** What is in a kernel set of this server now. */
  kernelSet(name: string): Promise<ReadonlySet<string>>;
}

/** Enrolled and, unless `isIdle`, running. With `linkUp: false` the link is up while it enrolls, and down after. */
export async function startServer(
  network: Network,
  coordinator: FleetCoordinator,
  dir: string,
  { name, address }: { readonly name: string; readonly address: string },
  options: ServerOptions = {},
): Promise<FleetServer> {
  const home = join(dir, name);
  await mkdir(home, { recursive: true });
  const host = await network.host(name, [address]);
  const { authLog, key: sshKey } = await startSshd(host, join(home, "sshd"));
  const { maxRetry, banTime } = options;
  const limits = { ...(maxRetry === undefined ? {} : { maxRetry }), ...(banTime === undefined ? {} : { banTime }) };
  const fail2ban = await createFail2ban(host, join(home, "fail2ban"), { authLog, ...limits });
  const told =
    options.isLogOnly === true ? { "fail2ban.log": fail2ban.banLog } : { "fail2ban.handoff": fail2ban.handoff };
  const sources = { ...told, "fail2ban.socket": fail2ban.socket };
  const agent = await createAgent(host, join(home, "agent"), coordinator, {
    config: { ...sources, ...options.agentConfig },
  });
  const receiver = await startReceiver(host);
  if (options.linkUp === false) await network.cut(host);
  if (options.isIdle !== true) await Promise.all([agent.start(), fail2ban.start()]);
  return { host, address, authLog, sshKey, fail2ban, agent, receiver, kernelSet: (set) => readKernelSet(host, set) };
}
