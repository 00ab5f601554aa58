/** What only the real backend has: its ways, the machine's rule stores, notices, processes, and what may be missing. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import type { Clock } from "@fleetban/kit/clock";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import type { Spawn } from "@fleetban/kit/spawn";
import { eventually } from "../../../../test/support/fleet/eventually.ts";
import { enterFreshNetns } from "../../../../test/support/netns.ts";
import { loadNetlink } from "../../drivers/netlink.ts";
import { spawn } from "../../drivers/spawn.ts";
import type { Backend } from "../backend.ts";
import { add, addressesFixture, createPairs, ruleFixture } from "../conformance.fixture.ts";
import { openIpsetBackend } from "./ipset-backend.ts";

const skip = enterFreshNetns();
const RULES = [ruleFixture];
const A = ruleFixture.deny[4];

afterEach(async () => {
  if (skip !== false) return;
  await using(loadNetlink, spawn, (backend) => backend.uninstall());
  sh("for p in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do $p -t mangle -F; $p -t mangle -X; done");
});

test("by netlink 10,000 adds and 100 urgent ones start no process", { skip }, async () => {
  await using(loadNetlink, spawn, async (backend) => {
    assert.equal(backend.via, "netlink");
    await createPairs(backend);
    const before = childrenEver();
    await load(backend);
    assert.deepEqual(childrenEver(), before);
    assert.deepEqual(childrenNow(), []);
  });
});

test("by the program they are all given to one process", { skip }, async () => {
  const started: string[] = [];
  const counted: Spawn = (program, args, stdout) => {
    started.push(`${program} ${args.join(" ")}`);
    return spawn(program, args, stdout);
  };
  await using(noNetlink, counted, async (backend) => {
    assert.equal(backend.via, "process");
    await createPairs(backend);
    const before = started.length;
    await load(backend);
    assert.deepEqual(started.slice(before), []);
    assert.deepEqual(
      started.filter((command) => command === "ipset -"),
      ["ipset -"],
    );
  });
});

test("a lost or changed rule is found and repaired, whatever was lost", { skip }, async () => {
  await using(loadNetlink, spawn, async (backend) => {
    await createPairs(backend);
    await backend.ensureRules(RULES);
    const losses = [
      "iptables-nft -t mangle -F fleetban-in",
      "iptables-nft -t mangle -D PREROUTING -j fleetban-in",
      "iptables-nft -t mangle -I PREROUTING -i lo -j ACCEPT",
      "iptables-nft -t mangle -I OUTPUT -j ACCEPT",
      "ip6tables-nft -t mangle -D OUTPUT -j fleetban-out",
      "ip6tables-nft -t mangle -F fleetban-out",
      "iptables-nft -t mangle -I PREROUTING -j fleetban-in",
      "ip6tables-nft -t mangle -I fleetban-in -j ACCEPT",
      "ip6tables-nft -t mangle -F; ip6tables-nft -t mangle -X",
      "nft flush ruleset",
    ];
    for (const loss of losses) {
      assert.deepEqual(await backend.ruleState(RULES), { kind: "present" }, `before ${loss}`);
      sh(loss);
      assert.equal((await backend.ruleState(RULES)).kind, "missing", loss);
      await backend.ensureRules(RULES);
    }
    assert.deepEqual(await backend.ruleState(RULES), { kind: "present" });
  });
});

test("looking at rules that stand still starts no process", { skip }, async () => {
  await using(loadNetlink, spawn, async (backend) => {
    await createPairs(backend);
    await backend.ensureRules(RULES);
    await backend.ruleState(RULES);
    const before = childrenEver();
    for (let times = 0; times < 50; times += 1) await backend.ruleState(RULES);
    assert.deepEqual(childrenEver(), before);
  });
});

test("whoever watches is told of changes to our table, not of sets, other tables or a look", { skip }, async () => {
  let looks = 0;
  const timer: Clock["timer"] = (durationMs, run) =>
    systemClock.timer(durationMs, () => {
      run();
      looks += 1;
    });
  const clock = { ...systemClock, timer };
  const backend = await openIpsetBackend({ loadNetlink, spawn, clock, log: silentLog });
  let told = 0;
  await createPairs(backend);
  await backend.ensureRules(RULES);
  const watch = backend.watchRules(() => (told += 1));
  await load(backend);
  await backend.ruleState([]);
  sh("iptables-nft -t raw -N other; nft add table inet other; nft add chain inet other other; iptables-nft -t raw -X");
  const before = looks;
  await eventually("a look", () => looks > before);
  assert.equal(told, 0);
  sh("iptables-nft -t mangle -F fleetban-in");
  await eventually("a notice", () => told > 0);
  assert.equal(told, 1);
  watch.close();
  watch.close();
  await backend.close();
});

test("more changes than the socket holds are told as one", { skip }, async () => {
  await using(loadNetlink, spawn, async (backend) => {
    let told = 0;
    const watch = backend.watchRules(() => (told += 1));
    const rules = Array.from({ length: 20_000 }, () => "-A flood -s 1.2.3.4 -j ACCEPT");
    const restore = ["*mangle", ":flood - [0:0]", ...rules, "COMMIT", ""].join("\n");
    execFileSync("iptables-nft-restore", ["--noflush"], { input: restore });
    await eventually("a notice", () => told > 0);
    watch.close();
  });
});

test("rules go where rules are already: to the legacy store if only that has any", { skip }, async () => {
  sh("iptables-legacy -t mangle -N somebody");
  await using(loadNetlink, spawn, async (backend) => {
    await createPairs(backend);
    await backend.ensureRules(RULES);
    assert.deepEqual(await backend.ruleState(RULES), { kind: "present" });
    assert.match(sh("iptables-legacy -t mangle -S"), /-A PREROUTING -j fleetban-in\n/);
    assert.doesNotMatch(sh("iptables-nft-save"), /fleetban-in/);
    sh("iptables-legacy -t mangle -F fleetban-in");
    assert.equal((await backend.ruleState(RULES)).kind, "missing");
    assert.match((await backend.uninstall()).join("\n"), /chain fleetban-in of iptables-legacy/);
  });
});

test("where the kernel can't answer, what is to be rejected is dropped, and that is logged once", {
  skip,
}, async () => {
  const lacking: Spawn = (program, args, stdout) => {
    if (!args.includes("security")) return spawn(program, args, stdout);
    return spawn(
      "sh",
      ["-c", "echo \"can't initialize iptables table 'security': Table does not exist\" >&2; exit 3"],
      stdout,
    );
  };
  const logged: string[] = [];
  const log = { ...silentLog, warn: (event: string) => void logged.push(event) };
  const backend = await openIpsetBackend({ loadNetlink, spawn: lacking, clock: systemClock, log });
  const rules = [{ ...ruleFixture, verdict: "reject" as const }];
  await createPairs(backend);
  await backend.ensureRules(rules);
  await backend.ensureRules(rules);
  assert.deepEqual(await backend.ruleState(rules), { kind: "present" });
  assert.match(sh("iptables-nft -t mangle -S"), /--match-set fleetban-a-v4 .* -j DROP/);
  assert.doesNotMatch(sh("iptables-nft-save"), /MARK|REJECT/);
  assert.deepEqual(logged, ["firewall.reject_not_possible"]);
  await backend.close();
});

test("missing programs, modules and permissions are told apart, each with a remedy", { skip }, async () => {
  const without = (pattern: RegExp): Spawn => {
    return (program, args, stdout) => spawn(pattern.test(program) ? "/nonexistent" : program, args, stdout);
  };
  const failing = (stderr: string): Spawn => {
    return (_, __, stdout) => spawn("sh", ["-c", `echo "${stderr}" >&2; exit 1`], stdout);
  };
  await using(loadNetlink, without(/^ipset$/), (backend) => createPairs(backend)); // it works without the program
  await using(loadNetlink, without(/tables/), async (backend) => {
    await assert.rejects(backend.ensureRules(RULES), { code: "iptables-missing", hint: /apt install iptables/ });
  });
  await assert.rejects(open(noNetlink, without(/^ipset$/)), { code: "kernel-sets-missing", hint: /modprobe/ });
  await assert.rejects(open(noNetlink, failing("Cannot open session to kernel.")), { code: "kernel-sets-missing" });
  const unprivileged = failing("ipset v7.17: Kernel error received: Operation not permitted");
  await assert.rejects(open(noNetlink, unprivileged), { code: "no-permission", hint: /CAP_NET_ADMIN/ });
});

test("without permission the kernel's no is told as that", { skip }, () => {
  const script = [
    `import { loadNetlink } from ${JSON.stringify(import.meta.resolve("../../drivers/netlink.ts"))};`,
    `import { spawn } from ${JSON.stringify(import.meta.resolve("../../drivers/spawn.ts"))};`,
    `import { openIpsetBackend } from ${JSON.stringify(import.meta.resolve("./ipset-backend.ts"))};`,
    `import type { Clock } from "@fleetban/kit/clock";
import { systemClock } from ${JSON.stringify(import.meta.resolve("@fleetban/kit/drivers/system-clock"))};`,
    `import { silentLog } from ${JSON.stringify(import.meta.resolve("@fleetban/kit/log"))};`,
    "const error = await openIpsetBackend({ loadNetlink, spawn, clock: systemClock, log: silentLog }).catch((e) => e);",
    "console.log(error.code);",
  ].join("\n");
  const args = [
    "--bounding-set=-net_admin",
    "--inh-caps=-net_admin",
    process.execPath,
    "--input-type=module-typescript",
  ];
  assert.equal(execFileSync("setpriv", args, { input: script, encoding: "utf8" }), "no-permission\n");
});

function noNetlink(): Promise<never> {
  return Promise.reject(new Error("no netlink in this test"));
}

function open(load: typeof loadNetlink, start: Spawn): Promise<Backend> {
  return openIpsetBackend({ loadNetlink: load, spawn: start, clock: systemClock, log: silentLog });
}

async function using<Result>(
  load: typeof loadNetlink,
  start: Spawn,
  run: (backend: Backend) => Promise<Result>,
): Promise<Result> {
  const backend = await open(load, start);
  try {
    return await run(backend);
  } finally {
    await backend.close();
  }
}

/** 10,000 in one apply, then 100 one by one; the set holds 1,000, so most are refused by name. */
async function load(backend: Backend): Promise<void> {
  const ops = addressesFixture(10_100).map((prefix) => add(A, prefix));
  assert.equal((await backend.apply(ops.slice(0, 10_000))).length, 9_000);
  for (const op of ops.slice(10_000)) assert.equal((await backend.apply([op]))[0]?.code, "set-full");
}

/** Page faults of children that have ended: any process, however short, has some. */
function childrenEver(): string | undefined {
  return readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ")[8];
}

function childrenNow(): string[] {
  const tasks = readdirSync("/proc/self/task");
  return tasks.flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" ").filter(Boolean));
}

function sh(script: string): string {
  return execFileSync("sh", ["-ec", script], { encoding: "utf8" });
}
