import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { addresses, FEEDS, FLEET, listFixture, listing } from "../mirror/mirror.fixture.ts";
import { enforcingFixture, machineFixture, START_SECONDS } from "./firewall.fixture.ts";

const FLEET_V4 = "fleetban-fleet-v4";

test("base has sets, exempt first, rules, and its own sum; recent has each change since", async () => {
  const exempt = [listing("82.0.0.1", 0, 1)];
  const agent = await enforcingFixture({
    exempt,
    fleet: [listing("81.0.0.1"), listing("2a01::/64", START_SECONDS + 900)],
  });
  await agent.delta(FLEET, [parsePrefix("81.0.0.1")], [listing("81.0.0.2", START_SECONDS + 600)]);
  await agent.pass(100);
  const text = agent.files.contents.get("boot/base")!.toString();
  const lines = text.split("\n");
  const firstOf = (begin: string) => lines.findIndex((line) => line.startsWith(begin));
  assert.match(lines[0]!, /^# fleetban-boot 1 \S+ 1800000\d+ ipset$/);
  assert.ok(firstOf("create fleetban-exempt-v4 hash:net family inet ") > 0);
  assert.ok(firstOf("add fleetban-exempt-v4 82.0.0.1 ") < firstOf("add fleetban-own-v4 93.184.216.1 timeout 0"));
  assert.ok(firstOf("add fleetban-own-v4") < firstOf("add fleetban-fleet-v4 81.0.0.1 timeout "));
  assert.match(text, /^add fleetban-fleet-v6 2a01::\/64 timeout (8\d\d|900)$/m);
  assert.match(
    text,
    /^rule6 -A fleetban-in .*fleetban-fleet-v6 src .*! --match-set fleetban-exempt-v6 src .*-j DROP$/m,
  );
  assert.doesNotMatch(text, /probe/);
  assert.deepEqual([...entriesAtBoot(agent.files.contents)].sort(), ["2a01::/64", "81.0.0.2"]);
  await agent.stop();
});

test("whenever the machine dies, base and recent together are what the kernel held, but for what was just under way", async () => {
  const agent = await enforcingFixture({ fleet: [listing("81.0.0.1"), listing("81.0.0.2")] });
  await agent.pass(10_000);
  const { contents } = agent.files;
  const deaths: { at: string; files: Map<string, Buffer>; kernel: Set<string>; next: number }[] = [];
  let next = 3;
  for (const name of ["rename", "remove", "writeWhole"] as const) {
    const inner = agent.files[name] as (...given: unknown[]) => Promise<void>;
    Object.assign(agent.files, {
      async [name](...given: unknown[]) {
        await note(`before ${name} ${given}`);
        if (name === "writeWhole" && given[0] === "boot/base.new") {
          await agent.delta(FLEET, [parsePrefix(`81.0.0.${next - 2}`)], [listing(`81.0.0.${next}`)]); // while it is written
          next += 1;
          await agent.firewall.settled();
        }
        await inner(...given);
        await note(`after ${name} ${given}`);
      },
    });
  }
  async function note(at: string): Promise<void> {
    deaths.push({ at, files: new Map(contents), kernel: new Set(await agent.kernel.entries(FLEET_V4)), next });
  }
  for (let round = 0; round < 3; round += 1) {
    await agent.delta(FLEET, [], [listing(`83.0.0.${round}`)]);
    await agent.snapshot(listFixture(10 + round, `more${round}`, "deny"), []); // another rule: a new base is due
    await agent.pass(10_000);
  }
  assert.ok(deaths.length > 30, `${deaths.length} moments`);
  for (const { at, files, kernel } of deaths) {
    const loaded = entriesAtBoot(files);
    const different = [...loaded.symmetricDifference(kernel)];
    assert.ok(different.length <= 2 && !different.includes("83.0.0.0"), `${at}: ${different}`);
  }
  await agent.pass(10_000);
  assert.deepEqual(entriesAtBoot(contents), new Set(await agent.kernel.entries(FLEET_V4)));
  await agent.stop();
});

test("a list that is larger than all there was is not noted entry by entry: a new base has it", async () => {
  const agent = await enforcingFixture({ fleet: [listing("81.0.0.1")] });
  await agent.pass(10_000);
  agent.kernel.msPerEntry = 0.1; // still loading at the next look
  const { contents } = agent.files;
  const recent = () => contents.get("boot/recent")?.toString() ?? "";
  await agent.snapshot(
    FEEDS,
    addresses(5_000).map((prefix) => listing(prefix)),
  );
  await agent.delta(FLEET, [], [listing("83.0.0.1")]);
  await agent.pass(1_000);
  assert.ok((await agent.kernel.entries("fleetban-feeds-v4")).length > 100);
  assert.doesNotMatch(recent(), /fleetban-feeds/);
  assert.match(recent(), /^add fleetban-fleet-v4 83\.0\.0\.1 /m);
  await agent.pass(60_000);
  assert.equal(
    contents
      .get("boot/base")!
      .toString()
      .match(/^add fleetban-feeds-v4 /gm)?.length,
    5_000,
  );
  await agent.delta(
    FEEDS,
    [],
    addresses(50, 9).map((prefix) => listing(prefix)),
  );
  await agent.pass(10_000);
  assert.equal(recent().match(/^add fleetban-feeds-v4 /gm)?.length, 50);
  await agent.stop();
});

test("a disk that refuses costs the boot files their freshness, and nothing else", async () => {
  const machine = machineFixture();
  machine.files.roomBytes = 0;
  const agent = await enforcingFixture({ fleet: [listing("81.0.0.1")] }, {}, machine);
  assert.deepEqual(await agent.kernel.entries(FLEET_V4), ["81.0.0.1"]);
  assert.equal(agent.firewall.state().bootFilesSavedAtMs, 0);
  machine.files.roomBytes = Number.POSITIVE_INFINITY;
  await agent.pass(60_000);
  assert.deepEqual(entriesAtBoot(machine.files.contents), new Set(["81.0.0.1"]));
  await agent.stop();
});

test("a dry run leaves nothing that a boot could load", async () => {
  const machine = machineFixture();
  const first = await enforcingFixture({ fleet: [listing("81.0.0.1")] }, {}, machine);
  await first.stop();
  assert.ok(machine.files.contents.has("boot/base"));
  Object.assign(machine.kernel, { name: "dry-run" });
  const agent = await enforcingFixture({ fleet: [listing("81.0.0.1")] }, {}, machine);
  await agent.delta(FLEET, [], [listing("81.0.0.2")]);
  await agent.pass(10_000);
  assert.deepEqual(
    [...machine.files.contents.keys()].filter((path) => path.startsWith("boot/")),
    [],
  );
  await agent.stop();
});

/** What the boot script would load of the fleet list. */
function entriesAtBoot(files: ReadonlyMap<string, Buffer>): Set<string> {
  const base = ["boot/base", "boot/base.1"].map((path) => files.get(path)?.toString() ?? "").find(isWhole);
  assert.ok(base !== undefined, `no readable base among ${[...files.keys()]}`);
  const id = base.split(" ")[3];
  const recents = ["boot/recent", "boot/recent.1", "boot/recent.new"].map((path) => files.get(path)?.toString() ?? "");
  const recent = recents.find((text) => text.startsWith(`# recent ${id}\n`)) ?? "";
  const entries = new Set<string>();
  for (const line of `${base}${recent}`.split("\n")) {
    const [verb, set, prefix = ""] = line.split(" ");
    if (!set?.startsWith("fleetban-fleet-")) continue;
    if (verb === "add") entries.add(prefix);
    if (verb === "del" && line.endsWith(" .")) entries.delete(prefix);
  }
  return entries;
}

function isWhole(text: string): boolean {
  const [, body = "", count, sum] = /^([\s\S]*\n)sum (\d+) (\w+)\n$/.exec(text) ?? [];
  const lines = body.split("\n").length - 1;
  return body !== "" && lines === Number(count) && createHash("sha256").update(body).digest("hex") === sum;
}
