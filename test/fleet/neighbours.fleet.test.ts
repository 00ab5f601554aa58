/**
 * What others do to a server's firewall, for real, while a banned address sends and sends: what they broke is repaired,
 * counted and logged, what they didn't break isn't touched.
 */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/fleet/eventually.ts";
import { startFirewalld } from "../support/fleet/firewalld.ts";
import type { Host } from "../support/fleet/host.ts";
import { needs } from "../support/fleet/needs.ts";
import { ATTACKER, type Fleet, openFleet, serverAddress, WITNESS } from "../support/fleet/open-fleet.ts";
import { arrives, isDropped, type Receiver, startReceiver, startSender } from "../support/fleet/packets.ts";
import type { FleetServer } from "../support/fleet/server.ts";
import { prepareUfw } from "../support/fleet/ufw.ts";

const skip = needs("nft", "fail2ban-server", "sshd");
const EVERY_MS = 5;
const REPAIR_MS = 120_000; // 2 s on a machine that does nothing else
const LISTED = "fleetban-fleet-v4";
const PUBLISHED = "20.40.0.99"; // of the server, and behind it a container
const CONTAINER = "20.40.0.98";

type Drift = "driftEntries" | "driftSets" | "driftRules";

let fleet: Fleet;
let server: FleetServer;
/** Rejects, before conntrack. */
let rejecting: { readonly server: FleetServer; readonly receiver: Receiver };
let container: Receiver;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet();
  server = await fleet.server(1, { agentConfig: { backend: "ipset" } });
  const second = await fleet.server(2, { agentConfig: { backend: "ipset", verdict: "reject", hook: "raw" } });
  rejecting = { server: second, receiver: second.receiver };
  const inner = await fleet.network.host("container", [CONTAINER]);
  container = await startReceiver(inner);
  await sh(server.host, `ip address add ${PUBLISHED} dev eth0; sysctl -q -w net.ipv4.ip_forward=1`);
  const targets = [serverAddress(1), PUBLISHED, serverAddress(2)];
  startSender(await fleet.network.host("attacker", [ATTACKER]), targets, EVERY_MS);
  startSender(await fleet.network.host("witness", [WITNESS]), targets, EVERY_MS);
  await arrives(server.receiver, ATTACKER);
  await arrives(rejecting.receiver, ATTACKER);
  await fleet.coordinator.cli(["ban", ATTACKER, "--reason", "test", "--wait"]);
  assert.ok(await isDropped(server.receiver, ATTACKER, WITNESS));
  assert.ok(await isDropped(rejecting.receiver, ATTACKER, WITNESS));
});

after(async () => await fleet?.[Symbol.asyncDispose]());

const BROKEN: readonly { readonly act: string; readonly counts: Drift; readonly logged: RegExp }[] = [
  { act: "ipset flush", counts: "driftSets", logged: /"firewall.set_emptied".*fleetban-fleet-v4/ },
  { act: `ipset del ${LISTED} ${ATTACKER}`, counts: "driftEntries", logged: /"firewall\.(drift_found|set_emptied)"/ },
  {
    act: "iptables -t mangle -F; iptables -t mangle -X",
    counts: "driftRules",
    logged: /"firewall.rules_gone".*mangle/,
  },
  {
    act: "iptables -t mangle -F; iptables -t mangle -X; ip6tables -t mangle -F; ip6tables -t mangle -X; ipset destroy",
    counts: "driftSets",
    logged: /"firewall.set_gone".*fleetban-fleet-v4/,
  },
  {
    act: "iptables -t mangle -I PREROUTING -j ACCEPT",
    counts: "driftRules",
    logged: /"firewall.rules_gone".*first rule of mangle PREROUTING/,
  },
  {
    act: "printf '*filter\\n:INPUT ACCEPT\\nCOMMIT\\n*mangle\\n:PREROUTING ACCEPT\\nCOMMIT\\n' | iptables-restore",
    counts: "driftRules",
    logged: /"firewall.rules_gone"/,
  },
  { act: "nft flush ruleset", counts: "driftRules", logged: /"firewall.rules_gone"/ },
];

for (const { act, counts, logged } of BROKEN) {
  test(`${act}: repaired, counted and logged`, { skip }, async (t) => {
    // The agent may put a rule back between two of its commands: then the second is refused, and it is done again.
    const isDone = () => sh(server.host, act).then(() => true);
    const tookMs = await repairedAfter(() => eventually(act, isDone), counts, logged);
    t.diagnostic(`dropped again after ${Math.round(tookMs)} ms`);
  });
}

for (const act of ["iptables -F", "iptables -F; iptables -X; iptables -t nat -F", "ipset destroy"]) {
  test(`${act}: lets nobody in`, { skip }, async () => {
    const before = server.receiver.count(ATTACKER);
    await sh(server.host, `${act} 2>/dev/null || true`); // sets that a rule names can't be destroyed
    assert.ok(await isDropped(server.receiver, ATTACKER, WITNESS));
    assert.equal(server.receiver.count(ATTACKER), before);
    await eventually("a rule", () => isFirst(server.host));
  });
}

test("rejecting before conntrack: who empties filter, or everything, ends the answers for a moment", {
  skip,
}, async () => {
  const { server: second, receiver } = rejecting;
  const before = receiver.count(ATTACKER);
  const table = (name: string) => second.host.run("iptables", ["-t", name, "-S"]);
  for (const act of [
    "iptables -F",
    "iptables -t filter -F INPUT; iptables -t filter -I INPUT -j ACCEPT",
    "iptables -t mangle -F",
  ]) {
    await sh(second.host, act);
    const isBack = async () =>
      (await table("filter")).includes("-A INPUT -j fleetban-in\n") && (await isFirst(second.host));
    await eventually(`repaired after ${act}`, isBack, REPAIR_MS);
  }
  assert.ok(await isDropped(receiver, ATTACKER, WITNESS));
  assert.equal(receiver.count(ATTACKER), before);
  await sh(second.host, "nft flush ruleset");
  await eventually("repaired", async () => (await table("raw")).includes(LISTED), REPAIR_MS);
  assert.ok(await isDropped(receiver, ATTACKER, WITNESS));
});

test("fail2ban starts anew, with its own rules: nothing of ours changes", { skip }, async () => {
  const before = [await drifts(server), server.receiver.count(ATTACKER)];
  await server.fail2ban.client("set", "sshd", "banip", "45.83.77.7");
  await server.fail2ban.stop();
  await server.fail2ban.start();
  await eventually("its rule is back", async () => (await sh(server.host, "iptables -S")).includes("f2b-sshd"));
  assert.ok(await isDropped(server.receiver, ATTACKER, WITNESS));
  assert.deepEqual([await drifts(server), server.receiver.count(ATTACKER)], before);
  await server.fail2ban.stop();
});

test("Docker puts its chains first: ours is first again, and a published port stays closed", { skip }, async () => {
  const script = [
    "iptables -t nat -N DOCKER",
    "iptables -t nat -I PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
    `iptables -t nat -A DOCKER -d ${PUBLISHED} -p udp --dport 9999 -j DNAT --to-destination ${CONTAINER}:9999`,
    "iptables -N DOCKER-USER; iptables -I FORWARD -j DOCKER-USER; iptables -A DOCKER-USER -j ACCEPT",
    "iptables -t mangle -N DOCKER-INGRESS; iptables -t mangle -I PREROUTING -j DOCKER-INGRESS",
    "iptables -t mangle -A DOCKER-INGRESS -j ACCEPT",
  ].join("\n");
  await sh(server.host, "conntrack -F >/dev/null 2>&1 || true");
  await repairedAfter(
    () => sh(server.host, `${script}\nconntrack -F >/dev/null 2>&1 || true`),
    "driftRules",
    /rules_gone/,
  );
  await arrives(container, WITNESS);
  assert.ok(await isDropped(container, ATTACKER, WITNESS));
  await sh(server.host, "iptables -t nat -F; iptables -t nat -X; iptables -F; iptables -X");
});

test("ufw is enabled, reloaded and disabled: nothing of ours changes", { skip: skip || needs("ufw") }, async () => {
  const dir = join(fleet.dir, "ufw");
  await mkdir(dir);
  const ufw = await prepareUfw(server.host, dir);
  const before = server.receiver.count(ATTACKER);
  for (const args of [["--force", "enable"], ["reload"], ["allow", "22/tcp"], ["disable"]]) {
    await ufw(...args);
    assert.ok(await isDropped(server.receiver, ATTACKER, WITNESS));
    await eventually("a rule", () => isFirst(server.host));
  }
  assert.equal(server.receiver.count(ATTACKER), before);
});

test("firewalld starts, reloads and ends: it flushes everybody's rules, and ours come back", {
  skip: skip || needs("firewalld", "firewall-cmd", "dbus-daemon"),
}, async (t) => {
  {
    await using firewalld = await startFirewalld(server.host, join(fleet.dir, "firewalld"));
    await eventually("dropped", async () => (await isFirst(server.host)) && (await drops()), REPAIR_MS);
    for (const how of [undefined, "complete"] as const) {
      const tookMs = await repairedAfter(() => firewalld.reload(how), "driftRules", /"firewall.rules_gone"/);
      t.diagnostic(`dropped again after ${Math.round(tookMs)} ms`);
    }
  }
  await eventually("dropped", async () => (await isFirst(server.host)) && (await drops()), REPAIR_MS);
});

test("after all that the agent complains of nothing", { skip }, async () => {
  await eventually("no warnable", async () => {
    const codes = (await server.agent.status()).warnables.map(({ code }) => code);
    return codes.every((code) => code.startsWith("fail2ban-"));
  });
});

/** Until packets are dropped again, from when the act was over. */
async function repairedAfter(act: () => Promise<unknown>, counts: Drift, logged: RegExp): Promise<number> {
  const before = await drifts(server);
  const logBefore = (await server.agent.log()).length;
  await act();
  const begunMs = performance.now();
  await eventually(
    "the rule and its entry are back",
    async () => (await isFirst(server.host)) && (await isListed()),
    REPAIR_MS,
  );
  const tookMs = performance.now() - begunMs;
  await eventually("packets are dropped", drops);
  await eventually("it is counted", async () => (await drifts(server))[counts] > before[counts]);
  await eventually("it is logged", async () => logged.test((await server.agent.log()).slice(logBefore)));
  return tookMs;
}

function drops(): Promise<boolean> {
  return isDropped(server.receiver, ATTACKER, WITNESS, 5);
}

async function isListed(): Promise<boolean> {
  return (await server.kernelSet(LISTED)).has(ATTACKER);
}

/** Our chain is what packets meet first, in the table of its hook. */
async function isFirst(host: Host): Promise<boolean> {
  for (const table of ["mangle", "raw"]) {
    const lines = (await host.run("iptables", ["-t", table, "-S"])).split("\n");
    const [first] = lines.filter((line) => line.startsWith("-A PREROUTING "));
    if (first === "-A PREROUTING -j fleetban-in" && lines.some((line) => line.includes(LISTED))) return true;
  }
  return false;
}

async function drifts({ agent }: FleetServer): Promise<Readonly<Record<Drift, number>>> {
  const { driftEntries, driftSets, driftRules } = (await agent.status()).firewall;
  return { driftEntries, driftSets, driftRules };
}

function sh(host: Host, script: string): Promise<string> {
  return host.run("sh", ["-ec", script]);
}
