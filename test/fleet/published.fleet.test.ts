/** Firewalls that run no agent: they fetch the fleet's list, or an unchanged bouncer of CrowdSec's pulls it, and drop. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { startBouncer } from "../support/fleet/bouncer.ts";
import { eventually } from "../support/fleet/eventually.ts";
import type { Host } from "../support/fleet/host.ts";
import { needs } from "../support/fleet/needs.ts";
import { ATTACKER, COORDINATOR, type Fleet, openFleet, WITNESS } from "../support/fleet/open-fleet.ts";

const exec = promisify(execFile);
const skip = needs("crowdsec-firewall-bouncer", "nft", "curl");
const PORT = 7_745;
const URL = `https://${COORDINATOR}:${PORT}`;
/** Around the attacker. */
const [NETWORK, NEIGHBOR] = ["45.83.64.0/24", "45.83.64.10"] as const;
const FIREWALL = "20.40.0.90";
/** It polls each second here; it starts with a second of waiting by itself. */
const PULLED_MS = 90_000;

let fleet: Fleet;
let firewall: Host;
let ca: string;

before(async () => {
  if (skip !== false) return;
  fleet = await openFleet({ coordinator: async () => ({ config: { "publish.port": PORT } }) });
  firewall = await fleet.network.host("firewall", [FIREWALL]);
  ca = join(fleet.coordinator.dir, "data", "ca", "ca.pem");
});

after(async () => await fleet?.[Symbol.asyncDispose]());

test("a firewall fetches the list over HTTPS, and again only what has changed", { skip }, async () => {
  const token = await newToken("poller");
  await fleet.coordinator.cli(["ban", ATTACKER]);
  const first = await curl(["-D", "-"], "/v1/lists/all.txt", token);
  assert.match(first, new RegExp(`\\r\\n\\r\\n${ATTACKER}\\n$`));
  const tag = /^etag: (\S+)/im.exec(first)?.[1] ?? "";
  const again = await curl(
    ["-o", "/dev/null", "-w", "%{http_code}", "-H", `If-None-Match: ${tag}`],
    "/v1/lists/all.txt",
    token,
  );
  assert.equal(again, "304");
  await fleet.coordinator.cli(["unban", ATTACKER]);
  await eventually("the address is gone", async () => (await curl([], "/v1/lists/all.txt", token)) === "");
  await fleet.coordinator.cli(["pardons", "remove", ATTACKER]);
});

test("a firewall that knows only an address and a password loads what it fetched into its kernel", {
  skip,
}, async () => {
  const token = await newToken("script");
  await fleet.coordinator.cli(["ban", NETWORK]);
  await fleet.coordinator.cli(["allow", ATTACKER]);
  const path = "/v1/lists/fleet.nft?name=edge";
  await firewall.run("sh", ["-c", `curl -sS --fail --cacert '${ca}' -u 'edge:${token}' '${URL}${path}' | nft -f -`]);
  const has = (address: string) =>
    firewall.run("nft", ["get", "element", "inet", "edge", "v4", `{ ${address} }`]).then(
      () => true,
      () => false,
    );
  assert.deepEqual([await has(NEIGHBOR), await has(ATTACKER)], [true, false], "the allowed address is cut out");
  await fleet.coordinator.cli(["allowlist", "remove", ATTACKER]);
  await fleet.coordinator.cli(["bans", "remove", NETWORK]);
});

for (const mode of ["nftables", "iptables"] as const) {
  test(`Debian's bouncer, unchanged, drops what the fleet bans: ${mode}`, { skip }, async () => {
    const token = await newToken(mode);
    const blocked = async (address: string) => (await setOf(mode)).includes(address);
    await fleet.coordinator.cli(["ban", ATTACKER, "--for", "2h"]);
    await using bouncer = await startBouncer(firewall, join(fleet.dir, mode), {
      ...{ mode, apiUrl: `${URL}/`, apiKey: token, caFile: ca, every: "1s" },
    });
    const wait = async (what: string, check: () => Promise<boolean>) => {
      try {
        await eventually(what, check, PULLED_MS);
      } catch (error) {
        throw new Error(`${what}: ${(await bouncer.log()).slice(-3_000)}`, { cause: error });
      }
    };
    await wait("what was banned before it started is in its set", () => blocked(ATTACKER));
    await fleet.coordinator.cli(["ban", WITNESS, "--for", "1h"]);
    await wait("a new ban comes", () => blocked(WITNESS));
    await fleet.coordinator.cli(["unban", ATTACKER]);
    await wait("an unbanned address goes", async () => !(await blocked(ATTACKER)));
    assert.ok(await blocked(WITNESS));
    const before = await secondsOf(mode, WITNESS);
    await fleet.coordinator.cli(["ban", WITNESS, "--for", "5h"]);
    await wait(
      "a ban that is prolonged stays for its new time",
      async () => (await secondsOf(mode, WITNESS)) > before + 3_600,
    );
    await fleet.coordinator.stop();
    assert.ok(await blocked(WITNESS), "the coordinator's end takes nothing out");
    await fleet.coordinator.start();
    await fleet.coordinator.cli(["bans", "remove", WITNESS]);
    await wait("what ends after a restart of the coordinator goes, too", async () => !(await blocked(WITNESS)));
    await fleet.coordinator.cli(["pardons", "remove", ATTACKER]);
    const { tokens } = await fleet.coordinator.cli<{ tokens: { name: string; program: string }[] }>([
      "publish",
      "tokens",
    ]);
    const used = tokens.find(({ name }) => name === mode);
    assert.match(used?.program ?? "", /^crowdsec-firewall-bouncer\//);
  });
}

async function newToken(name: string): Promise<string> {
  return (await fleet.coordinator.cli<{ token: string }>(["publish", "tokens", "create", name])).token;
}

async function curl(args: readonly string[], path: string, token: string): Promise<string> {
  return await firewall.run("curl", [
    ...["-sS", "--cacert", ca, "-H", `Authorization: Bearer ${token}`],
    ...args,
    `${URL}${path}`,
  ]);
}

/** The bouncer's set as its tool shows it. */
async function setOf(mode: "nftables" | "iptables"): Promise<string> {
  const command =
    mode === "nftables"
      ? ["nft", "list", "set", "ip", "crowdsec", "crowdsec-blacklists"]
      : ["ipset", "list", "crowdsec-blacklists"];
  const { stdout } = await exec("ip", ["netns", "exec", firewall.namespace, ...command]).catch(() => ({ stdout: "" }));
  return stdout;
}

/** How long the address stays in it. */
async function secondsOf(mode: "nftables" | "iptables", address: string): Promise<number> {
  const text = await setOf(mode);
  const found = new RegExp(`${address.replaceAll(".", "\\.")} timeout (\\S+)(?: expires (\\S+?),?(?:\\s|$))?`).exec(
    text,
  );
  if (mode === "iptables") return Number(found?.[1] ?? 0);
  const parts = [...(found?.[2] ?? "").matchAll(/(\d+)(ms|[dhms])/g)];
  const units: Record<string, number> = { d: 86_400, h: 3_600, m: 60, s: 1, ms: 0 };
  return parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (units[unit] ?? 0), 0);
}
