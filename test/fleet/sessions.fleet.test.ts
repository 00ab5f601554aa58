/** People who are logged in by SSH keep getting in, whatever is banned; whoever merely connects does not. Real sshd, real ssh. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/fleet/eventually.ts";
import type { Host } from "../support/fleet/host.ts";
import { needs } from "../support/fleet/needs.ts";
import { type Fleet, openFleet, serverAddress } from "../support/fleet/open-fleet.ts";
import { arrives, isDropped, startSender } from "../support/fleet/packets.ts";
import type { FleetServer } from "../support/fleet/server.ts";
import { enterNetns } from "../support/netns.ts";

const skip = needs("ssh", "sshd", "ssh-keygen");

const ADMIN = "45.83.64.10";
const STRANGER = "45.83.64.11";
const OTHER = "91.189.91.81";

let fleet: Fleet;
let server: FleetServer;
let admin: Host;
let stranger: Host;
let other: Host;
let login: ChildProcess;
let half: Socket;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  const dir = join(fleet.dir, "one", "sshd");
  await mkdir(dir, { recursive: true });
  server = await fleet.server(1, { agentConfig: { sshd_log: join(dir, "auth.log") } });
  admin = await fleet.network.host("admin", [ADMIN]);
  stranger = await fleet.network.host("stranger", [STRANGER]);
  other = await fleet.network.host("other", [OTHER]);
  for (const host of [admin, stranger, other]) startSender(host, [serverAddress(1)], 5);
});

after(async () => {
  half?.destroy();
  await fleet?.[Symbol.asyncDispose]();
});

test("who has logged in is protected within seconds, who only holds a connection open is not", { skip }, async () => {
  half = await holdOpen(stranger);
  login = await logIn(admin);
  await eventually("the login is seen", async () => (await server.agent.status()).protectedSessions === 1);
  await eventually("and in the kernel", async () => (await server.kernelSet("fleetban-own-v4")).has(ADMIN));
  assert.ok(!(await server.kernelSet("fleetban-own-v4")).has(STRANGER));
});

test("no lie in sshd's log makes a login of a connection", { skip }, async () => {
  const port = half.localPort;
  const lie = `Accepted password for root from ${STRANGER} port ${port} ssh2`;
  await appendFile(server.authLog, `Nov  1 09:00:00 one sshd[7]: Invalid user ${lie} from ${STRANGER} port ${port}\n`);
  await appendFile(server.authLog, `Nov  1 09:00:00 one sshd[7]: Invalid user sshd[8]: ${lie}\n`);
  await logIn(other); // a true one behind the lies: when it is seen, they have been read
  await eventually("the next login is seen", async () => (await server.agent.status()).protectedSessions === 2);
  assert.ok(!(await server.kernelSet("fleetban-own-v4")).has(STRANGER));
});

test("a ban of the network around them stops the stranger and not who is logged in, now and anew", {
  skip,
}, async () => {
  await fleet.coordinator.cli(["ban", "45.83.64.0/24", "--reason", "test", "--yes"]);
  await eventually("the ban is in the kernel", async () => (await server.kernelSet("fleetban-fleet-v4")).size > 0);
  await eventually("the stranger is stopped", () => isDropped(server.receiver, STRANGER, OTHER, 5));
  assert.ok(await isDropped(server.receiver, STRANGER, OTHER));
  await arrives(server.receiver, ADMIN);
  assert.equal(await ask("echo still here"), "still here\n");
});

test("they get in for a while after they have left, and a restart of the agent in between", { skip }, async () => {
  await server.agent.stop();
  await server.agent.start();
  await eventually("the session is found again", async () => (await server.agent.status()).protectedSessions === 2);
  await admin.stop(login);
  await arrives(server.receiver, ADMIN);
  assert.equal((await server.agent.status()).protectedSessions, 2);
  assert.equal(await ask("echo back again"), "back again\n");
});

const SSH = [
  "-o",
  "BatchMode=yes",
  "-o",
  "StrictHostKeyChecking=no",
  "-o",
  "UserKnownHostsFile=/dev/null",
  "-o",
  "LogLevel=ERROR",
];

function sshWords(): readonly string[] {
  return [...SSH, "-i", server.sshKey, `root@${serverAddress(1)}`];
}

/** A session that stays. */
async function logIn(from: Host): Promise<ChildProcess> {
  const child = from.spawn("ssh", [...sshWords(), "echo in; sleep 600"], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = await once(child.stdout as NodeJS.ReadableStream, "data", { signal: AbortSignal.timeout(60_000) });
  assert.equal(String(said), "in\n");
  return child;
}

async function ask(command: string): Promise<string> {
  return await admin.run("ssh", [...sshWords(), command]);
}

/** Connected, and never logged in. */
async function holdOpen(from: Host): Promise<Socket> {
  const leave = enterNetns(from.namespace);
  const socket = connect(22, serverAddress(1));
  socket.on("error", () => undefined);
  await once(socket, "connect", { signal: AbortSignal.timeout(60_000) }).finally(leave);
  await once(socket, "data"); // sshd's greeting
  return socket;
}
