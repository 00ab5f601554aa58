import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../tool.ts";
import { findViolations } from "./structure.ts";

/** A workspace in miniature in which everything is allowed: violations are planted into it. */
const HEALTHY: Readonly<Record<string, string>> = {
  "kit/src/clock.ts": 'import type { Socket } from "node:net";\nexport const clock = (s: Socket) => s;',
  "kit/src/clock.test.ts": 'import "node:fs";\nimport "./clock.ts";',
  "kit/src/drivers/files.ts": 'import "node:fs";',
  "proto/src/model/prefix.ts": 'import { createHash } from "node:crypto";\nexport const prefix = createHash;',
  "proto/src/wire/gen/fleet.ts": 'import "@grpc/grpc-js";\nexport const fleet = 1;',
  "proto/src/wire/delta.ts": 'import "./gen/fleet.ts";\nimport "@fleetban/proto/model/prefix";',
  "agent/src/firewall/backend.ts": 'import "@fleetban/kit/clock";\nexport interface Backend { name: string }',
  "agent/src/firewall/plan-changes.ts":
    'import type { Backend } from "./backend.ts";\nimport "@fleetban/proto/model/prefix";\nexport type B = Backend;',
  "agent/src/mirror/mirror.ts": 'import "@fleetban/proto/model/prefix";\nimport "../firewall/plan-changes.ts";',
  "agent/src/commands/status.ts": 'import "node:fs";',
  "agent/src/main.ts": 'import "koffi";\nimport "./mirror/mirror.ts";\nimport "./commands/status.ts";',
  "coordinator/src/policy/decide.ts": 'import "@fleetban/proto/model/prefix";',
  "coordinator/src/ledger/queries.ts": 'import type postgres from "postgres";\nexport type Sql = postgres;',
  "coordinator/src/ledger/commit.ts": 'import "./queries.ts";\nimport "../policy/decide.ts";',
  "coordinator/src/store/connect.ts": 'import "postgres";',
  "coordinator/src/jobs/queue.ts": 'import "bullmq";\nimport "ioredis";',
  "coordinator/cli/src/main.ts": 'import "@grpc/grpc-js";\nimport "@fleetban/proto/wire/delta";',
  "test/simulation/fleet.test.ts":
    'import "@fleetban/agent/main";\nimport "@fleetban/coordinator/ledger/queries";\nimport "postgres";',
};

/** One planted file for each thing a rule forbids. */
const PLANTED: readonly (readonly [rule: string, path: string, imports: string])[] = [
  ["no-orphan", "agent/src/link/alone.ts", ""],
  ["resolvable", "kit/src/x-nowhere.ts", "./not-there.ts"],
  ["agent-not-coordinator", "agent/src/link/x-policy.ts", "@fleetban/coordinator/policy/decide"],
  ["coordinator-not-agent", "coordinator/src/fleet/x-mirror.ts", "@fleetban/agent/mirror/mirror"],
  ["cli-by-api", "coordinator/cli/src/x-ledger.ts", "../../src/ledger/commit.ts"],
  ["coordinator-not-cli", "coordinator/src/admin/x-cli.ts", "@fleetban/cli/main"],
  ["kit-alone", "kit/src/x-model.ts", "../../proto/src/model/prefix.ts"],
  ["proto-on-kit", "proto/src/wire/x-agent.ts", "../../../agent/src/mirror/mirror.ts"],
  ["model-not-wire", "proto/src/model/x-wire.ts", "../wire/delta.ts"],
  ["product-not-tests", "agent/src/link/x-test.ts", "../../../test/simulation/fleet.test.ts"],
  ["pure-imports-pure", "coordinator/src/policy/x-package.ts", "postgres"],
  ["pure-imports-pure", "agent/src/mirror/x-backend.ts", "../firewall/backend.ts"],
  ["pure-imports-pure", "agent/src/firewall/plan-x.ts", "./backend.ts"],
  ["pure-imports-pure", "coordinator/src/ledger/decide-x.ts", "node:os"],
  ["outside-in-drivers", "kit/src/x-fs.ts", "node:fs/promises"],
  ["outside-in-drivers", "agent/src/link/x-net.ts", "node:net"],
  ["outside-in-drivers", "agent/src/link/x-grpc.ts", "@grpc/grpc-js"],
  ["outside-in-drivers", "agent/src/firewall/x-spawn.ts", "node:child_process"],
  ["outside-in-drivers", "agent/src/firewall/x-koffi.ts", "koffi"],
  ["outside-in-drivers", "coordinator/src/ledger/x-postgres.ts", "postgres"],
  ["outside-in-drivers", "coordinator/src/feeds/x-redis.ts", "ioredis"],
  ["outside-in-drivers", "coordinator/src/feeds/x-bullmq.ts", "bullmq"],
  ["queries-stay-in-their-room", "coordinator/src/fleet/x-queries.ts", "../ledger/queries.ts"],
  ["generated-stays-in-wire", "coordinator/src/fleet/x-gen.ts", "@fleetban/proto/wire/gen/fleet"],
];

const FORBIDDEN_PACKAGES = ["@grpc/grpc-js", "bullmq", "ioredis", "koffi", "postgres"];

test("a workspace that keeps the import rules passes", async () => {
  assert.deepEqual(await violationsIn(HEALTHY), []);
});

test("each import rule finds what is planted against it, and nothing else", async () => {
  const planted = PLANTED.map(([, path, imports]) => [path, imports === "" ? "export {};" : `import "${imports}";`]);
  const cycle = { "kit/src/x-hen.ts": 'import "./x-egg.ts";', "kit/src/x-egg.ts": 'import "./x-hen.ts";' };
  const found = await violationsIn({ ...HEALTHY, ...Object.fromEntries(planted), ...cycle });
  const wanted = PLANTED.map(([rule, path]) => `${path}: ${rule}`);
  // A pure file that imports a database breaks two rules, and so does the model that imports the wire.
  wanted.push(
    "coordinator/src/policy/x-package.ts: outside-in-drivers",
    "proto/src/model/x-wire.ts: pure-imports-pure",
  );
  wanted.push("kit/src/x-egg.ts: no-cycle"); // a cycle is told once
  assert.deepEqual(found.sort(), wanted.sort());
});

test("every import rule has a planted violation", () => {
  const { forbidden } = createRequire(import.meta.url)("../../.dependency-cruiser.cjs");
  const rules = forbidden.map((rule: { name: string }) => rule.name);
  assert.deepEqual(new Set(rules), new Set(["no-cycle", ...PLANTED.map(([rule]) => rule)]));
});

test("what no program reaches is found when asked for", async () => {
  const unused = { "kit/src/x-unused.ts": 'import "./clock.ts";', "kit/src/virtual-clock.ts": 'import "./clock.ts";' };
  const reached = { "coordinator/src/main.ts": 'import "./ledger/commit.ts";\nimport "./store/connect.ts";' };
  const found = await violationsIn({ ...HEALTHY, ...reached, ...unused }, { FLEETBAN_FIND_UNUSED: "1" });
  const known = ["coordinator/src/jobs/queue.ts", "kit/src/drivers/files.ts"];
  assert.deepEqual(found.sort(), [...known, "kit/src/x-unused.ts"].map((path) => `${path}: used`).sort());
});

test("a run that has seen no module fails", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-structure-"));
  try {
    await mkdir(join(folder, "kit"));
    await assert.rejects(findViolations(folder), /saw 0 modules/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function violationsIn(files: Readonly<Record<string, string>>, env = {}): Promise<string[]> {
  const root = await mkdtemp(join(tmpdir(), "fleetban-structure-"));
  try {
    for (const [path, text] of Object.entries(files)) await writeInto(root, path, `${text}\n`);
    for (const name of FORBIDDEN_PACKAGES)
      await writeInto(root, `node_modules/${name}/index.js`, "export default {};\n");
    const folders = { kit: "kit", proto: "proto", agent: "agent", coordinator: "coordinator", cli: "coordinator/cli" };
    for (const [name, folder] of Object.entries(folders)) await linkPackage(root, name, folder);
    const violations = await findViolations(root, env);
    return [...new Set(violations.map(({ from, to, rule }) => `${rule === "used" ? to : from}: ${rule}`))];
  } finally {
    await rm(root, { recursive: true });
  }
}

/** The real manifests: that their `exports` lead to the sources is part of what is tested. */
async function linkPackage(root: string, name: string, folder: string): Promise<void> {
  await cp(join(ROOT, folder, "package.json"), join(root, folder, "package.json"));
  await mkdir(join(root, "node_modules", "@fleetban"), { recursive: true });
  await symlink(join(root, folder), join(root, "node_modules", "@fleetban", name));
}

async function writeInto(root: string, path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}
