/** The boot script on a real kernel: what the agent saved comes back before the agent does (invariant 4). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { eventually } from "../../../test/support/fleet/eventually.ts";
import { enterFreshNetns } from "../../../test/support/netns.ts";
import { dataFiles } from "../drivers/data-files.ts";
import { deltaOnto, EXEMPT, FLEET, heldFixture, listing } from "../mirror/mirror.fixture.ts";
import { Mirror } from "../mirror/mirror.ts";
import type { AddRun, Backend, Op } from "./backend.ts";
import { type BootedKernel, IPSET_KERNEL, NFTABLES_KERNEL } from "./booted-kernel.fixture.ts";
import { createFirewall } from "./firewall.ts";

const skip = enterFreshNetns();
const SCRIPT = new URL("../../../deploy/boot/fleetban-boot.sh", import.meta.url).pathname;
const directory = mkdtempSync("/tmp/fb-boot-");
const boot = join(directory, "boot");
after(() => rmSync(directory, { recursive: true }));

const in1h = Math.floor(Date.now() / 1_000) + 3_600;
/** Entries that the script gives nft at once. */
const PART = 5_000;
const EXEMPTED = [listing("81.0.0.9", 0, 1)];
const FRESH = listing("2a01:4f8:1::/64");
const LISTED = [listing("81.0.0.1", in1h), listing("82.0.0.0/24"), listing("2a01:4f8::/64")];

for (const kernel of [IPSET_KERNEL, NFTABLES_KERNEL]) {
  test(`the boot load of ${kernel.name}`, { skip }, (t) => bootLoad(t, kernel));
}

async function bootLoad(t: TestContext, kernel: BootedKernel): Promise<void> {
  rmSync(directory, { recursive: true });
  mkdirSync(directory);
  const saved = await saveByAgent(kernel);

  await t.test("alone makes the sets and rules that the agent had", async () => {
    kernel.forget();
    const said = run();
    assert.match(said, /loaded 8 sets and 7 entries/);
    assert.deepEqual(kernel.read(), saved);
  });

  await t.test("leaves the agent that starts then nothing to do", async () => {
    const backend = await kernel.open();
    const mirror = await mirrorOf();
    const delta = await mirror.applyDelta(deltaOnto(mirror.get(FLEET.list)!.held!, [], [FRESH]));
    assert.equal(delta.kind, "applied");
    const ops: unknown[] = [];
    const watched = {
      ...backend,
      apply: (some: readonly Op[]) => {
        ops.push(...some);
        return backend.apply(some);
      },
      addRun: (run: AddRun) => {
        ops.push(run);
        return backend.addRun?.(run) ?? Promise.resolve([]);
      },
    };
    const firewall = createOn(watched, mirror);
    await firewall.start();
    firewall.setOwn([parsePrefix("93.184.216.1")]);
    const stop = new AbortController();
    const running = firewall.run(stop.signal).catch(() => undefined);
    await eventually("rules", () => firewall.state().rules.kind === "present");
    await eventually("the lists", () => firewall.applied(FLEET.list)?.revision === 2);
    stop.abort();
    await running;
    assert.deepEqual(ops, []);
    assert.deepEqual(kernel.read().rules, saved.rules);
    await backend.close();
  });

  await t.test("run again changes nothing", () => {
    run();
    const before = [kernel.read(), kernel.counters()];
    assert.match(run(), /sets are there already; left alone[\s\S]*IPv4 are there already[\s\S]*IPv6 are there already/);
    assert.deepEqual([kernel.read(), kernel.counters()], before);
  });

  await t.test("puts back what another firewall threw away while it was loaded", () => {
    kernel.forget();
    run(boot, "sets");
    assert.deepEqual(kernel.read().sets, kernel.name === "ipset" ? saved.sets : []);
    assert.doesNotMatch(kernel.counters(), /fleetban/);
    run();
    execFileSync("nft", ["flush", "ruleset"]);
    run();
    assert.deepEqual(kernel.read(), saved);
  });

  await t.test("takes what was appended since, and leaves out a torn last line", () => {
    kernel.forget();
    const recent = join(boot, "recent");
    const now = Math.floor(Date.now() / 1_000);
    appendFileSync(recent, `add fleetban-fleet-v4 81.0.0.2 600 ${now} .\ndel fleetban-fleet-v4 81.0.0.1 .\n`);
    appendFileSync(
      recent,
      `add fleetban-fleet-v4 81.0.0.5 600 ${now - 601} .\nadd fleetban-fleet-v4 6.6.6.6; reboot 1 2 .\n`,
    );
    appendFileSync(recent, `add fleetban-fleet-v4 81.0.0.3 600 ${now}`);
    run();
    assert.deepEqual(kernel.members("fleetban-fleet-v4"), ["81.0.0.2", "82.0.0.0/24"]);
  });

  await t.test("cuts timeouts by the age of the base", () => {
    kernel.forget();
    writeFileSync(join(boot, "recent"), "");
    const text = readFileSync(join(boot, "base"), "utf8").replace(
      /^(# fleetban-boot 1 \S+) (\d+)/,
      (_all, head, date) => `${head} ${date - 3_000}`,
    );
    writeFileSync(join(boot, "base"), resummed(text));
    run();
    const left = kernel.secondsLeft("fleetban-exempt-v4", "81.0.0.9");
    assert.ok(left > 600_000 && left <= 604_800 + 86_400 - 3_000, String(left));
    kernel.forget();
    writeFileSync(
      join(boot, "base"),
      resummed(text.replace(/^(# fleetban-boot 1 \S+) (\d+)/, (_all, head, date) => `${head} ${date - 700_000}`)),
    );
    assert.match(run(), /loaded 8 sets and 1 entries/); // an own address has no timeout
    kernel.forget();
    writeFileSync(
      join(boot, "base"),
      resummed(text.replace(/^(# fleetban-boot 1 \S+) (\d+)/, (_all, head, date) => `${head} ${Number(date) + 9e6}`)),
    );
    assert.match(run(), /loaded 8 sets and/); // a clock that stands wrong makes nothing older, nor longer
  });

  await t.test("loads thousands of entries, whichever way they are split into files", () => {
    writeFileSync(join(boot, "recent"), "");
    const whole = readFileSync(join(boot, "base"), "utf8");
    const saved = whole.replace(/^add .*\n/gm, "").replaceAll(/\b(maxelem|size) \d+/g, `$1 ${4 * PART}`);
    for (const count of [PART - 1, PART, PART + 1, 2 * PART + 1]) {
      kernel.forget();
      // A network stands last and first in a file of some of them: a length has a set of its own.
      const isNetwork = (n: number) => n % PART === 0 || n % PART === PART - 1;
      const entries = Array.from({ length: count }, (_, n) =>
        isNetwork(n) ? `84.${n >> 8}.${n & 255}.0/24` : `83.0.${n >> 8}.${n & 255}`,
      );
      const lines = entries.map((entry) => `add fleetban-fleet-v4 ${entry} timeout 600\n`).join("");
      writeFileSync(join(boot, "base"), resummed(saved.replace(/^rule4/m, `${lines}rule4`)));
      assert.match(run(), new RegExp(`loaded 8 sets and ${count} entries`));
      assert.deepEqual(kernel.members("fleetban-fleet-v4"), entries.toSorted());
    }
    writeFileSync(join(boot, "base"), whole);
  });

  await t.test("falls back to the predecessor of a damaged base, and never fails", () => {
    kernel.forget();
    copyFileSync(join(boot, "base"), join(boot, "base.1"));
    const whole = readFileSync(join(boot, "base"), "utf8");
    for (const damaged of [whole.slice(0, 300), whole.replace("81.0.0.9", "91.0.0.9"), `${whole}add`, ""]) {
      writeFileSync(join(boot, "base"), damaged);
      assert.match(run(), /base is damaged[\s\S]*loaded 8 sets/);
      assert.deepEqual(kernel.members("fleetban-exempt-v4"), ["81.0.0.9"]);
      kernel.forget();
    }
    truncateSync(join(boot, "base.1"), 0);
    assert.match(run(), /base\.1 is damaged[\s\S]*no readable base/);
    assert.match(run("/nowhere"), /no readable base in \/nowhere/);
    assert.deepEqual(kernel.read().sets, []);
  });
}

/** An agent that enforces two lists, one of its listings by a delta after the base; gives what the kernel then holds. */
async function saveByAgent(kernel: BootedKernel) {
  const backend = await kernel.open();
  const mirror = await mirrorOf();
  const firewall = createOn(backend, mirror);
  await firewall.start();
  firewall.setOwn([parsePrefix("93.184.216.1")]);
  const stop = new AbortController();
  const running = firewall.run(stop.signal).catch(() => undefined);
  firewall.addLocal(parsePrefix("81.0.0.77"), 900);
  await eventually(
    "a base",
    () => firewall.state().bootFilesSavedAtMs > 0 && firewall.state().rules.kind === "present",
  );
  const delta = deltaOnto(mirror.get(FLEET.list)!.held!, [], [FRESH]);
  const outcome = await mirror.applyDelta(delta);
  firewall.onDelta(FLEET.list, outcome.kind === "applied" ? outcome.changes : [], false);
  await firewall.settled();
  stop.abort();
  await running;
  for (const name of ["fleetban-probe-v4", "fleetban-probe-v6"]) await backend.destroySet(name);
  const found = kernel.read();
  await backend.close();
  return found;
}

async function mirrorOf(): Promise<Mirror> {
  const mirror = new Mirror(systemClock);
  mirror.setLists([EXEMPT, FLEET].map((list) => ({ ...list, leaseSeconds: 604_800 })));
  mirror.replace(EXEMPT.list, heldFixture(EXEMPT.list, EXEMPTED));
  mirror.replace(FLEET.list, heldFixture(FLEET.list, LISTED));
  return mirror;
}

function createOn(backend: Backend, mirror: Mirror) {
  const parts = { backend, mirror, clock: systemClock, ledgerClock: systemClock, random: systemRandom, log: silentLog };
  return createFirewall(
    { ...parts, files: dataFiles(directory) },
    { capacity: 0, leaseSeconds: 604_800, localSeconds: 86_400 },
  );
}

function run(folder = boot, ...only: readonly string[]): string {
  return execFileSync("sh", [SCRIPT, folder, ...only], { encoding: "utf8" });
}

function resummed(text: string): string {
  const body = text.replace(/^sum .*\n$/m, "");
  const lines = body.split("\n").length - 1;
  const sum = execFileSync("sha256sum", { input: body, encoding: "utf8" }).slice(0, 64);
  return `${body}sum ${lines} ${sum}\n`;
}
