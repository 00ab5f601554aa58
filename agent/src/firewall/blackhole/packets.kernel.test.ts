/** What blackhole routes do to real connections: a server (this process), a listed peer, a witness who is never listed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { eventually } from "../../../../test/support/fleet/eventually.ts";
import type { Host } from "../../../../test/support/fleet/host.ts";
import { createNetwork, type Network } from "../../../../test/support/fleet/network.ts";
import { isDropped, type Receiver, startReceiver, startSender } from "../../../../test/support/fleet/packets.ts";
import { enterNetns } from "../../../../test/support/netns.ts";
import { readLocalPorts } from "../../drivers/local-ports.ts";
import { loadRouteNetlink } from "../../drivers/netlink.ts";
import type { Backend } from "../backend.ts";
import { add, createPairs, remove, ruleFixture } from "../conformance.fixture.ts";
import { openBlackholeBackend } from "./blackhole-backend.ts";

const skip = process.geteuid?.() === 0 ? false : "needs root";

const SERVER = { v4: "45.33.1.1", v6: "2a01:4f8:1::1" };
const PEER = { v4: "45.33.9.9", v6: "2a01:4f8:1::9" };
const WITNESS = { v4: "45.33.9.10", v6: "2a01:4f8:1::10" };
const FAMILIES = ["v4", "v6"] as const;

let network: Network;
let server: Host;
let peer: Host;
let witness: Host;
let receiver: Receiver;
let backend: Backend;
let leaveServer: () => void;

before(async () => {
  if (skip !== false) return;
  network = await createNetwork();
  server = await network.host("server", [`${SERVER.v4}/16`, `${SERVER.v6}/64`]);
  peer = await network.host("peer", [`${PEER.v4}/16`, `${PEER.v6}/64`]);
  witness = await network.host("witness", [`${WITNESS.v4}/16`, `${WITNESS.v6}/64`]);
  receiver = await startReceiver(server);
  for (const host of [peer, witness]) startSender(host, [SERVER.v4], 5);
  leaveServer = enterNetns(server.namespace);
  writeFileSync("/proc/sys/net/ipv4/conf/all/rp_filter", "2"); // as systemd sets it
  backend = await open();
});

beforeEach(async () => {
  if (skip !== false) return;
  await backend.uninstall();
  await createPairs(backend);
  await backend.ensureRules([ruleFixture]);
});

after(async () => {
  if (skip !== false) return;
  await backend.close();
  leaveServer(); // who ends a host ends every process in it
  await network[Symbol.asyncDispose]();
});

for (const family of FAMILIES) {
  test(`a listed source can't connect, and can again when it is removed (${family})`, { skip }, async () => {
    await list(PEER[family]);
    assert.equal(await canConnect(peer, family), false);
    await backend.apply([remove(setOf(PEER[family]), PEER[family])]);
    await connects(peer, family);
  });

  test(`an established connection of a newly listed source is cut (${family})`, { skip }, async () => {
    const cut = await connection(peer, server, SERVER[family]);
    const stays = await connection(witness, server, SERVER[family]);
    assert.equal(await carries(cut.far, cut.near), true);
    await list(PEER[family]);
    let received = "";
    cut.near.on("data", (data) => {
      received += data;
    });
    cut.far.write("nobody reads this");
    for (let times = 0; times < 20; times += 1) assert.equal(await carries(stays.far, stays.near), true);
    assert.equal(received, "");
    cut.close();
    stays.close();
  });

  test(`a connection that the server opens to a listed address works (${family})`, { skip }, async () => {
    await list(PEER[family]);
    const { near, far, close } = await connection(server, peer, PEER[family]);
    assert.equal(await carries(near, far), true);
    assert.equal(await carries(far, near), true);
    close();
  });

  test(`what is exempt connects, inside a listed network and around a listed address (${family})`, {
    skip,
  }, async () => {
    const wide = family === "v4" ? "45.33.9.0/24" : "2a01:4f8:1::/120";
    const wider = family === "v4" ? "45.33.8.0/21" : "2a01:4f8:1::/112";
    await list(wide);
    assert.equal(await canConnect(peer, family), false);
    await exempt(PEER[family]);
    await connects(peer, family);
    assert.equal(await canConnect(witness, family), false);
    await backend.apply([remove(exemptSetOf(wide), PEER[family])]);
    assert.equal(await canConnect(peer, family), false);
    await exempt(wider);
    await connects(peer, family);
    await list(PEER[family]);
    await connects(peer, family);
    await backend.apply([remove(exemptSetOf(wide), wider)]);
    assert.equal(await canConnect(peer, family), false);
  });
}

test("with reverse path filtering nothing of a listed IPv4 source comes in at all", { skip }, async () => {
  await list(PEER.v4);
  await eventually("datagrams are dropped", () => isDropped(receiver, PEER.v4, WITNESS.v4, 5));
  assert.ok(await isDropped(receiver, PEER.v4, WITNESS.v4));
});

test("the server reaches its own listed addresses", { skip }, async () => {
  await list(SERVER.v4);
  const { near, far, close } = await connection(server, server, SERVER.v4);
  assert.equal(await carries(near, far), true);
  close();
});

test("an entry ends when its time has passed, and its route with it", { skip }, async () => {
  await list(PEER.v4, 5);
  assert.match(routes(), /blackhole 45\.33\.9\.9/);
  await eventually("the route is gone", () => !routes().includes("45.33.9.9"));
});

test("an agent that starts anew has what the last one left, by set and with its ends", { skip }, async () => {
  await list(PEER.v4, 900);
  await list(PEER.v6, 0);
  await exempt(WITNESS.v4);
  await backend.apply([add("fleetban-a-v4", "45.33.9.77", 1)]);
  await backend.close();
  assert.equal(await canConnect(peer, "v4"), false);
  await eventually("a second has passed", () => Math.floor(Date.now() / 1_000) > begunSecond());
  backend = await open();
  assert.equal(await canConnect(peer, "v4"), false);
  const made = await Promise.all(
    (["fleetban-a-v4", "fleetban-b-v4"] as const).map((name) =>
      backend.createSet({ name, family: 4, maxEntries: 1_000 }),
    ),
  );
  assert.deepEqual(made, ["exists", "exists"]);
  const entries = (await Array.fromAsync(backend.readSet("fleetban-a-v4"))).flat();
  assert.deepEqual(
    entries.map(({ prefix }) => prefix),
    [PEER.v4],
  );
  assert.ok((entries[0]?.timeoutSeconds ?? 0) > 600 && (entries[0]?.timeoutSeconds ?? 0) <= 900);
  for (const name of ["fleetban-a-v6", "fleetban-b-v6"]) await backend.createSet({ name, family: 6, maxEntries: 9 });
  await backend.ensureRules([ruleFixture]);
  assert.equal(await canConnect(peer, "v4"), false);
  assert.equal(await canConnect(peer, "v6"), false);
});

test("a table that somebody flushes shows at the next cheap look, and so do rules that are gone", {
  skip,
}, async () => {
  let changes = 0;
  const watch = backend.watchRules(() => {
    changes += 1;
  });
  await backend.apply(["1.2.3.4", "1.2.3.0/24", "9.9.9.9"].map((prefix) => add("fleetban-a-v4", prefix)));
  sh("ip route flush table 7741");
  assert.equal((await backend.headers()).find(({ name }) => name === "fleetban-a-v4")?.entries, 0);
  await backend.apply([add("fleetban-a-v4", "1.2.3.4")]);
  sh("ip rule del pref 742");
  sh("ip rule del pref 743");
  changes = 0;
  await backend.headers();
  assert.equal(changes, 1);
  const state = await backend.ruleState([ruleFixture]);
  assert.match(state.kind === "missing" ? state.what : "", /ip rule 742: tcp sport \d+-65534 lookup 7741 \(IPv4\)/);
  await backend.ensureRules([ruleFixture]);
  assert.deepEqual(await backend.ruleState([ruleFixture]), { kind: "present" });
  watch.close();
});

test("uninstalling leaves what is somebody else's, in our table, too", { skip }, async () => {
  sh(
    "ip route add blackhole 7.7.7.7 table 7741; ip route add 8.8.8.0/24 dev lo table 99; ip rule add to 8.8.8.8 lookup 99",
  );
  const before = foreign();
  await list(PEER.v4);
  await list(PEER.v6);
  await exempt(WITNESS.v4);
  const removed = await backend.uninstall();
  assert.match(
    removed.join("\n"),
    /ip rule 741: tcp sport 1-\d+ lookup 7741 \(IPv4\)[\s\S]*2 routes of table 7741 \(IPv4\)/,
  );
  assert.equal(foreign(), before);
  sh("ip route flush table 7741; ip route flush table 99; ip rule del to 8.8.8.8 lookup 99");
});

function open(): Promise<Backend> {
  const openSocket = async () => (await loadRouteNetlink())(0);
  return openBlackholeBackend({ openSocket, ownPorts: readLocalPorts, clock: systemClock, log: silentLog });
}

/** Written once: the second in which the file was begun, and the next two. */
const begunAt = Math.floor(Date.now() / 1_000);
function begunSecond(): number {
  return begunAt + 2;
}

function setOf(prefix: string): string {
  return ruleFixture.deny[prefix.includes(":") ? 6 : 4];
}

function exemptSetOf(prefix: string): string {
  return (ruleFixture.except[0] as (typeof ruleFixture.except)[0])[prefix.includes(":") ? 6 : 4];
}

async function list(prefix: string, timeoutSeconds = 600): Promise<void> {
  assert.deepEqual(await backend.apply([add(setOf(prefix), prefix, timeoutSeconds)]), []);
}

async function exempt(prefix: string): Promise<void> {
  assert.deepEqual(await backend.apply([add(exemptSetOf(prefix), prefix)]), []);
}

/** Not when another round trip between the server and itself, many times over, is quicker. */
async function canConnect(from: Host, family: "v4" | "v6"): Promise<boolean> {
  const attempt = connection(from, server, SERVER[family], 1_000);
  try {
    const made = await attempt;
    made.close();
    return true;
  } catch {
    return false;
  }
}

/** However long it takes; `canConnect` is asked where the answer is to be no, and gives up soon. */
async function connects(from: Host, family: "v4" | "v6"): Promise<void> {
  const made = await connection(from, server, SERVER[family]);
  made.close();
}

/** A TCP connection from one host to another, on a port below those of own connections. */
async function connection(
  from: Host,
  to: Host,
  address: string,
  withinMs = 60_000,
): Promise<{ near: Socket; far: Socket; close(): void }> {
  const leaveTo = enterNetns(to.namespace);
  const listener = createServer().listen(8_443, address);
  await once(listener, "listening").finally(leaveTo);
  const leaveFrom = enterNetns(from.namespace);
  const near = connect(8_443, address);
  near.on("error", () => undefined);
  const signal = AbortSignal.timeout(withinMs);
  const accepted = once(listener, "connection", { signal });
  const connected = once(near, "connect", { signal });
  try {
    const [[far]] = (await Promise.all([accepted, connected]).finally(leaveFrom)) as [[Socket], unknown];
    far.on("error", () => undefined);
    const close = () => {
      for (const socket of [near, far]) socket.destroy();
    };
    return { near, far, close };
  } catch (error) {
    await Promise.allSettled([accepted, connected]);
    near.destroy();
    throw error;
  } finally {
    listener.close();
  }
}

/** Whether what is written on one end arrives at the other. */
async function carries(one: Socket, other: Socket): Promise<boolean> {
  const arrived = once(other, "data", { signal: AbortSignal.timeout(60_000) });
  one.write("fleetban");
  const [data] = await arrived;
  return String(data) === "fleetban";
}

function routes(): string {
  return sh("ip route show table 7741; ip -6 route show table 7741");
}

function foreign(): string {
  return sh("ip rule; ip -6 rule; ip route show table all; ip -6 route show table all")
    .split("\n")
    .filter((line) => !(/lookup 7741/.test(line) || /table 7741 proto 13/.test(line)))
    .join("\n");
}

function sh(script: string): string {
  return execFileSync("sh", ["-ec", script], { encoding: "utf8" });
}
