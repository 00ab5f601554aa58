/**
 * Builds the demo's fleet: a coordinator, three servers, an attacker, somebody whom AbuseIPDB knows, and a neighbor who
 * behaves, each in a network namespace; with real sshd, fail2ban, agents and kernel sets.
 *
 * Attackers have globally routable addresses, as they have in life (special-purpose ranges are never listed); nothing
 * of it can leave the namespaces.
 */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { madeUpEntries } from "../../test/support/fake-abuseipdb/entries.ts";
import { FREE_KEY } from "../../test/support/fake-abuseipdb.ts";
import { type FleetCoordinator, startCoordinator } from "../../test/support/fleet/coordinator.ts";
import { eventually } from "../../test/support/fleet/eventually.ts";
import type { Host } from "../../test/support/fleet/host.ts";
import { createNetwork, type Network } from "../../test/support/fleet/network.ts";
import { startSender } from "../../test/support/fleet/packets.ts";
import { type FleetServer, startServer } from "../../test/support/fleet/server.ts";

export interface Stage {
  readonly coordinator: FleetCoordinator;
  readonly servers: readonly [FleetServer, FleetServer, FleetServer];
  readonly attacker: Host;
  /** Starts the fake AbuseIPDB: until then nobody answers there. */
  openAbuseIpdb(): Promise<{ regenerate(): Promise<void> }>;
}

export const ATTACKER = "45.83.64.9";
/** Never seen by this fleet; AbuseIPDB has it. */
export const STRANGER = "185.220.101.34";
/** Neither banned nor listed: shows that the way is open. */
export const NEIGHBOR = "91.189.91.81";
const COORDINATOR = "20.40.0.10";
const ABUSEIPDB = "104.26.12.38";
const SERVERS = [
  { name: "one", address: "20.40.0.11" },
  { name: "two", address: "20.40.0.12" },
  { name: "three", address: "20.40.0.13" },
] as const;
const ABUSEIPDB_PORT = 8_080;
const LISTED = 9_998; // with the attacker and the stranger the 10,000 of a free key
const ATTACKER_EVERY_MS = 2; // so exactly can be told when its packets end
const OTHERS_EVERY_MS = 10;
const FAKE = join(import.meta.dirname, "../../test/support/fake-abuseipdb.main.ts");

/** Whatever it makes is given to `undo` first, so that it can be taken down at any moment. */
export async function buildStage(undo: AsyncDisposableStack): Promise<Stage> {
  const making = mkdtemp(join(tmpdir(), "fleetban-demo-"));
  undo.defer(async () => rm(await making, { recursive: true, force: true }));
  const dir = await making;
  await chmod(dir, 0o755); // the coordinator's Postgres has an account of its own
  const network: Network = undo.use(await createNetwork());

  const abuseipdb = await network.host("abuseipdb", [ABUSEIPDB]);
  const url = `http://${ABUSEIPDB}:${ABUSEIPDB_PORT}/api/v2`;
  const coordinator = await startCoordinator(
    await network.host("coordinator", [COORDINATOR]),
    join(dir, "coordinator"),
    {
      abuseipdb: { url, key: FREE_KEY },
    },
  );
  const servers = await Promise.all(SERVERS.map((server) => startServer(network, coordinator, dir, server)));
  const attacker = await network.host("attacker", [ATTACKER]);
  const targets = SERVERS.map(({ address }) => address);
  startSender(attacker, targets, ATTACKER_EVERY_MS);
  startSender(await network.host("stranger", [STRANGER]), targets, OTHERS_EVERY_MS);
  startSender(await network.host("neighbor", [NEIGHBOR]), targets, OTHERS_EVERY_MS);

  return {
    coordinator,
    servers: servers as [FleetServer, FleetServer, FleetServer],
    attacker,
    openAbuseIpdb: () => openAbuseIpdb(abuseipdb, join(dir, "blacklist.txt")),
  };
}

async function openAbuseIpdb(host: Host, listFile: string): Promise<{ regenerate(): Promise<void> }> {
  const addresses = madeUpEntries(LISTED).map(({ ipAddress }) => ipAddress);
  await writeFile(listFile, [...addresses, ATTACKER, STRANGER].join("\n"));
  const args = ["--host", ABUSEIPDB, "--port", String(ABUSEIPDB_PORT), "--list", listFile, "--key", `${FREE_KEY}=free`];
  const fake = host.spawn(process.execPath, [FAKE, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  fake.stdout?.on("data", (text) => {
    said += text;
  });
  await eventually("the fake AbuseIPDB says where it listens", () => said.includes("listening"));
  const control = `fetch("http://${ABUSEIPDB}:${ABUSEIPDB_PORT}/_fake/regenerate", { method: "POST" })`;
  return { regenerate: async () => void (await host.run(process.execPath, ["-e", control])) };
}
