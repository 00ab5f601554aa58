/** What is particular to nftables: others' tables, foreign elements, renewals, changes that are told. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { eventually } from "../../../../test/support/fleet/eventually.ts";
import { enterFreshNetns } from "../../../../test/support/netns.ts";
import { loadNetlink } from "../../drivers/netlink.ts";
import type { Backend } from "../backend.ts";
import { add, createPairs, remove, ruleFixture } from "../conformance.fixture.ts";
import type { KernelFeatures } from "./kernel-features.ts";
import { openNftablesBackend } from "./nftables-backend.ts";

const skip = enterFreshNetns();
const A = "fleetban-a-v4";
const OLD: KernelFeatures = { counts: true, renews: false, forgives: false, sizes: false };

function check(name: string, run: (backend: Backend) => Promise<void>, features?: KernelFeatures): void {
  test(name, { skip }, async () => {
    const settings = features === undefined ? {} : { features };
    const backend = await openNftablesBackend({ loadNetlink, clock: systemClock, log: silentLog, ...settings });
    try {
      await createPairs(backend);
      await run(backend);
    } finally {
      await backend.uninstall();
      await backend.close();
      nft("flush ruleset");
    }
  });
}

for (const [kernel, features] of [
  ["this kernel", undefined],
  ["a kernel of 2022", OLD],
] as const) {
  check(
    `${kernel}: adding an entry anew, with the timeout that it had, renews it, and it goes on counting`,
    async (backend) => {
      const op = add(A, "1.2.3.4", 4);
      nft(`add element ip fleetban ${A} { 1.2.3.4 counter packets 7 bytes 420 timeout 4s }`);
      const entry = async () => (await Array.fromAsync(backend.readSet(A))).flat()[0];
      await eventually("half of it is over", async () => ((await entry())?.timeoutSeconds ?? 9) <= 2);
      assert.deepEqual(await backend.apply([op]), []);
      assert.deepEqual(await entry(), { prefix: "1.2.3.4", timeoutSeconds: 4, packets: 7, bytes: 420 });
      await eventually("an entry ends when its time has passed", async () => !(await backend.testEntry(A, op.prefix)));
    },
    features,
  );

  check(
    `${kernel}: an entry changes between having an end and none`,
    async (backend) => {
      const left = async () => (await Array.fromAsync(backend.readSet(A))).flat().map((entry) => entry.timeoutSeconds);
      await backend.apply([add(A, "1.2.3.4", 600), add(A, "1.2.3.4", 0)]);
      assert.deepEqual(await left(), [0]);
      await backend.apply([add(A, "1.2.3.4", 600)]);
      assert.deepEqual(await left(), [600]);
      await backend.apply([add(A, "1.2.3.4", 0)]);
      assert.deepEqual(await left(), [0]);
      await backend.apply([remove(A, "1.2.3.4"), add(A, "1.2.3.4", 30), remove(A, "1.2.3.4"), remove(A, "9.9.9.9")]);
      assert.deepEqual(await left(), []);
    },
    features,
  );
}

check(
  "a kernel that does not tell how many elements there are is asked to list a few, not all of them each second",
  async (backend) => {
    const entries = async () => (await backend.headers()).find(({ name }) => name === A)?.entries;
    const all = Array.from({ length: 60_000 }, (_, at) => add(A, `1.${at >> 16}.${(at >> 8) & 255}.${at & 255}`));
    await backend.destroySet(A);
    await backend.createSet({ name: A, family: 4, maxEntries: 65_000 });
    await backend.apply(all.slice(0, 9_000));
    assert.equal(await entries(), 9_000);
    await backend.apply(all);
    assert.equal(await entries(), undefined);
    nft(`flush set ip fleetban ${A}`);
    assert.equal(await entries(), 0);
  },
  OLD,
);

check("tables, sets and rules of others are neither listed nor removed", async (backend) => {
  nft("add table inet fleetban; add table ip other; add set ip other fleetban-a-v4 { type ipv4_addr; }");
  nft("add chain ip other fleetban-in { type filter hook prerouting priority -150; }");
  await backend.ensureRules([ruleFixture]);
  assert.equal((await backend.headers()).length, 4);
  await backend.uninstall();
  const left = nft("list ruleset");
  assert.match(left, /table inet fleetban/);
  assert.match(left, /table ip other \{\n\tset fleetban-a-v4/);
  assert.match(left, /chain fleetban-in/);
  assert.doesNotMatch(left, /table ip6? fleetban/);
});

check("a set under our name that has no timeouts is not used", async (backend) => {
  nft("add set ip fleetban fleetban-c-v4 { type ipv4_addr; }");
  await assert.rejects(backend.createSet({ name: "fleetban-c-v4", family: 4, maxEntries: 9 }), {
    code: "set-mismatch",
    message: /without timeouts/,
  });
});

check("an element that no source can match is not taken for an entry", async (backend) => {
  await backend.apply([add(A, "1.2.3.0/24")]);
  nft(`add element ip fleetban ${A}/24 { 1.2.3.7 }`);
  const found = (await Array.fromAsync(backend.readSet(A))).flat().map(({ prefix }) => prefix);
  assert.deepEqual(found, ["1.2.3.0/24"]);
});

check("a set whose lookups somebody removed is still the same set", async (backend) => {
  await backend.apply([add(A, "1.2.3.4"), add("fleetban-b-v4", "5.6.7.8")]);
  await backend.swapSets(A, "fleetban-b-v4");
  await backend.ensureRules([ruleFixture]);
  nft(`flush chain ip fleetban ${A}`);
  assert.equal((await backend.ruleState([ruleFixture])).kind, "missing");
  await backend.ensureRules([ruleFixture]);
  assert.deepEqual(await backend.ruleState([ruleFixture]), { kind: "present" });
  assert.equal(await backend.testEntry(A, add(A, "5.6.7.8").prefix), true);
});

check("sets with networks of other lengths change places, for packets, too", async (backend) => {
  const B = "fleetban-b-v4";
  await backend.apply([add(A, "1.2.3.0/24"), add(B, "5.6.0.0/16"), add(B, "5.0.0.0/8")]);
  await backend.swapSets(A, B);
  await backend.ensureRules([ruleFixture]);
  const matches = async (set: string, address: string) => await backend.testEntry(set, add(set, address).prefix);
  assert.deepEqual([await matches(A, "5.6.7.8"), await matches(A, "1.2.3.4")], [true, false]);
  assert.deepEqual([await matches(B, "5.6.7.8"), await matches(B, "1.2.3.4")], [false, true]);
  const lookups = nft(`list chain ip fleetban ${A}`).match(/@\S+/g);
  assert.deepEqual(lookups, [`@${B}`, `@${B}/16`, `@${B}/8`]);
});

check("changes by others are told, own ones are not", async (backend) => {
  let told = 0;
  const watch = backend.watchRules(() => {
    told += 1;
  });
  await backend.ensureRules([ruleFixture]);
  await backend.apply([add(A, "1.2.3.4")]);
  nft("add table ip other");
  await eventually("it is told", () => told === 1);
  await backend.apply([add(A, "1.2.3.5")]);
  nft("delete table ip other");
  await eventually("it is told again", () => told === 2);
  watch.close();
});

function nft(text: string): string {
  return execFileSync("nft", ["-f", "-"], { input: `${text}\n`, encoding: "utf8" });
}
