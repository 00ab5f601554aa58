/** Somebody saves his firewall with our rules in it, and boots. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { enterFreshNetns } from "../../../../test/support/netns.ts";
import { loadNetlink } from "../../drivers/netlink.ts";
import { spawn } from "../../drivers/spawn.ts";
import { createPairs, ruleFixture } from "../conformance.fixture.ts";
import { openIpsetBackend } from "./ipset-backend.ts";
import { namingOurSets, SAVED_RULES } from "./saved-rules.ts";
import { createLine } from "./set-command.ts";

const skip = enterFreshNetns();
const SCRIPT = new URL("../../../../deploy/boot/fleetban-boot.sh", import.meta.url).pathname;
const folder = mkdtempSync("/tmp/fb-saved-");
after(() => rmSync(folder, { recursive: true }));

test("it loads after our boot load, and not without; what uninstalling leaves in it is found", { skip }, async () => {
  const backend = await openIpsetBackend({ loadNetlink, spawn, clock: systemClock, log: silentLog });
  sh("iptables -A INPUT -p tcp --dport 22 -j ACCEPT");
  await createPairs(backend);
  await backend.ensureRules([ruleFixture]);
  const saved = sh("iptables-save");
  assert.deepEqual(namingOurSets([{ path: "saved", text: saved }]), ["saved"]);

  const removed = await backend.uninstall();
  assert.ok(removed.length > 0);
  assert.deepEqual(namingOurSets([{ path: "saved", text: sh("iptables-save") }]), []);
  sh("iptables -F");
  assert.throws(
    () => execFileSync("iptables-restore", { input: saved, stdio: ["pipe", "pipe", "pipe"] }),
    /fleetban-a-v4/,
  );
  assert.doesNotMatch(sh("iptables -S"), /dport 22/); // the whole file, not only our rule

  writeBase();
  sh(`sh ${SCRIPT} ${join(folder, "boot")}`);
  execFileSync("iptables-restore", { input: saved });
  assert.match(sh("iptables -S"), /dport 22/);
  assert.deepEqual(await backend.ruleState([ruleFixture]), {
    kind: "missing",
    what: "chain fleetban-in in mangle (IPv6)", // which was not saved
  });
  await backend.uninstall();
  await backend.close();
});

test("saved rules load although the boot load has lost the sets that they name, which it says", { skip }, async () => {
  const backend = await openIpsetBackend({ loadNetlink, spawn, clock: systemClock, log: silentLog });
  await createPairs(backend);
  await backend.ensureRules([ruleFixture]);
  const [saved, saved6] = [sh("iptables-save"), sh("ip6tables-save")];
  await backend.uninstall();
  mkdirSync(join(folder, "root/etc/iptables"), { recursive: true });
  writeFileSync(join(folder, "root/etc/iptables/rules.v4"), `# --match-set fleetban-commented-v4\n${saved}`);
  writeFileSync(join(folder, "root/etc/iptables/rules.v6"), saved6);
  writeFileSync(join(folder, "boot/base"), "torn");
  const said = sh(`sh ${SCRIPT} ${join(folder, "boot")} sets ${join(folder, "root")}`);
  assert.match(said, /base is damaged/);
  assert.match(said, /made empty, because \S+rules\.v4 names them:( fleetban-\S+-v4)+; nobody is dropped/);
  assert.match(said, /made empty, because \S+rules\.v6 names them:( fleetban-\S+-v6)+; nobody is dropped/);
  assert.doesNotMatch(sh("ipset list -n"), /commented/);
  execFileSync("iptables-restore", { input: saved });
  execFileSync("ip6tables-restore", { input: saved6 });
  assert.deepEqual(await backend.ruleState([ruleFixture]), { kind: "present" });
  for (const pair of [ruleFixture.deny, ...ruleFixture.except]) {
    for (const family of [4, 6] as const) {
      // The agent takes them over: of its own kind, and room for what it will add.
      assert.equal(await backend.createSet({ name: pair[family], family, maxEntries: 1_000 }), "exists");
    }
  }
  await backend.uninstall();
  await backend.close();
  assert.equal(sh(`sh ${SCRIPT} ${join(folder, "boot")} sets /nowhere`).includes("made empty"), false);
});

test("the boot load looks where saved rules are looked for after uninstalling", () => {
  const script = readFileSync(SCRIPT, "utf8");
  const looked = /^saved='([^']*)'$/m.exec(script)?.[1]?.split(/\s+/);
  assert.deepEqual(looked, SAVED_RULES);
});

/** A boot load with the four sets and no entry. */
function writeBase(): void {
  const { deny, except } = ruleFixture;
  const names = [deny, ...except].flatMap((pair) =>
    ([4, 6] as const).map((family) => ({ name: pair[family], family })),
  );
  const lines = [`# fleetban-boot 1 test ${Math.floor(Date.now() / 1_000)}`];
  for (const { name, family } of names) lines.push(createLine({ name, family, maxEntries: 1_000 }));
  const body = `${lines.join("\n")}\n`;
  const sum = execFileSync("sha256sum", { input: body, encoding: "utf8" }).slice(0, 64);
  mkdirSync(join(folder, "boot"));
  writeFileSync(join(folder, "boot/base"), `${body}sum ${lines.length} ${sum}\n`);
}

function sh(script: string): string {
  return execFileSync("sh", ["-ec", script], { encoding: "utf8" });
}
