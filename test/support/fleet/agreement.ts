/**
 * Whether ledger, mirrors and kernels are one: each list's digest in every mirror, each kernel's digest as the coordinator
 * checks it, and the kernels' entries, read by the `ipset` program, against the listings one by one.
 */
import type { GetStatusResponse, Listing } from "@fleetban/proto/wire/admin";
import { createAdminCalls } from "./admin.ts";
import type { FleetAgent } from "./agent.ts";
import type { FleetCoordinator } from "./coordinator.ts";
import { eventually } from "./eventually.ts";
import { readKernelSet } from "./kernel-set.ts";

const DEADLINE_MS = 120_000;
/** Only the agents of a group on which a policy is tried have it, and only then. */
const TRIAL = "trial";

export async function untilAllAgree(
  coordinator: FleetCoordinator,
  agents: readonly FleetAgent[],
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  const look = async () => {
    const differences = await findDifferences(coordinator, agents);
    if (differences.length > 0) throw new Error(differences.join("\n"));
    return true;
  };
  await eventually("ledger, mirrors and kernels are one", look, deadlineMs);
}

async function findDifferences(coordinator: FleetCoordinator, agents: readonly FleetAgent[]): Promise<string[]> {
  const admin = createAdminCalls(coordinator);
  const told = await admin.status();
  const status = { ...told, lists: told.lists.filter(({ name }) => name !== TRIAL) };
  const lists = status.lists.map(({ name, digest, revision }) => ({ name, revision, digest: digest.toString("hex") }));
  const listings = new Map<string, readonly Listing[]>();
  for (const { name } of lists) listings.set(name, await admin.listings(name));
  const found = await Promise.all(
    agents.map(async (agent) => [
      ...differencesTold(status, agent.name),
      ...(await differencesOfMirror(agent, lists)),
      ...(await differencesOfKernel(agent, listings)),
    ]),
  );
  return found.flat();
}

/** What the coordinator knows of the agent. */
function differencesTold({ agents, lists }: GetStatusResponse, name: string): string[] {
  const agent = agents.find((one) => one.name === name);
  if (agent?.state !== "online") return [`${name} is ${agent?.state}`];
  const spooled = agent.spoolSightings === 0 ? [] : [`${name}: ${agent.spoolSightings} sightings are in the spool`];
  const told = lists.flatMap((list) => {
    const held = agent.lists.find((one) => one.list === list.list);
    const isOne = held?.revision === list.revision && held.mirrorAgrees && held.kernelAgrees === "yes";
    const { revision, mirrorAgrees, kernelAgrees } = held ?? {};
    return isOne
      ? []
      : [`${name}: ${list.name} ${list.revision}: ${JSON.stringify({ revision, mirrorAgrees, kernelAgrees })}`];
  });
  return [...spooled, ...told];
}

async function differencesOfMirror(
  agent: FleetAgent,
  lists: readonly { name: string; revision: number; digest: string }[],
): Promise<string[]> {
  const status = await agent.status();
  return lists.flatMap(({ name, revision, digest }) => {
    const held = status.lists.find((list) => list.name === name);
    const isOne = held?.digest === digest && held.revision === revision && held.enforcedRevision === revision;
    return isOne
      ? []
      : [`${agent.name}: mirror of ${name} ${held?.revision} ${held?.digest}, ledger ${revision} ${digest}`];
  });
}

async function differencesOfKernel(
  agent: FleetAgent,
  listings: ReadonlyMap<string, readonly Listing[]>,
): Promise<string[]> {
  const differences: string[] = [];
  for (const [name, listed] of listings) {
    const sets = await Promise.all([4, 6].map((family) => readKernelSet(agent.host, `fleetban-${name}-v${family}`)));
    const kernel = sets.reduce((all, set) => all.union(set), new Set<string>());
    const ledger = new Set(listed.map(({ prefix }) => prefix));
    const [missing, foreign] = [ledger.difference(kernel).size, kernel.difference(ledger).size];
    if (missing + foreign > 0)
      differences.push(`${agent.name}: kernel's ${name}: ${missing} missing, ${foreign} foreign`);
  }
  return differences;
}
