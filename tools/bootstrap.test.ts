import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";

/** Stands in for npm: "installs" the Node that runs this test, and a pnpm that only notes its call. */
const FAKE_NPM = `#!/bin/sh
echo npm >> "$CALLS"
[ -z "\${NPM_FAILS:-}" ] || { echo "npm error code ENOTFOUND"; exit 1; }
sleep 0.2
for arch in x64 arm64; do
  mkdir -p node_modules/node-linux-$arch/bin && ln -sf "$REAL_NODE" node_modules/node-linux-$arch/bin/node
done
mkdir -p node_modules/pnpm/bin
cat > node_modules/pnpm/bin/pnpm.cjs <<END
const fs = require("node:fs");
fs.appendFileSync(process.env.CALLS, "pnpm " + process.argv[2] + "\\\\n");
fs.mkdirSync("node_modules", { recursive: true });
END
`;

let folder: string;
let checkout: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-bootstrap-"));
});
after(async () => await rm(folder, { recursive: true }));

beforeEach(async () => {
  checkout = join(folder, "a check out");
  await rm(checkout, { recursive: true, force: true });
  await mkdir(join(checkout, "tools"), { recursive: true });
  await mkdir(join(checkout, "bin"));
  await cp(join(import.meta.dirname, "bootstrap.mjs"), join(checkout, "tools/bootstrap.mjs"));
  for (const path of ["tools/package-lock.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", "calls"]) {
    await writeFile(join(checkout, path), "");
  }
  await writeFile(join(checkout, "bin/npm"), FAKE_NPM);
  await chmod(join(checkout, "bin/npm"), 0o755);
});

test("the first start installs toolchain and packages, the second nothing", async () => {
  assert.equal((await bootstrap("exec", "true")).exit, 0);
  assert.deepEqual(await calls(), ["npm", "pnpm install"]);
  assert.equal((await bootstrap("exec", "true")).stderr, "");
  assert.deepEqual(await calls(), ["npm", "pnpm install"]);
});

test("a changed package lock installs the packages again, a deleted folder too", async () => {
  await bootstrap("exec", "true");
  await writeFile(join(checkout, "pnpm-lock.yaml"), "changed");
  await bootstrap("exec", "true");
  assert.deepEqual(await calls(), ["npm", "pnpm install", "pnpm install"]);
  await rm(join(checkout, "node_modules"), { recursive: true });
  await bootstrap("exec", "true");
  assert.deepEqual((await calls()).length, 4);
});

test("starts at the same time install once", async () => {
  const ends = await Promise.all([1, 2, 3].map(() => bootstrap("exec", "true")));
  assert.deepEqual(
    ends.map(({ exit }) => exit),
    [0, 0, 0],
  );
  assert.deepEqual(await calls(), ["npm", "pnpm install"]);
});

test("pnpm runs although the packages can't be installed", async () => {
  await bootstrap("pnpm", "add");
  assert.deepEqual(await calls(), ["npm", "pnpm add"]);
});

test("without a network the last line says so", async () => {
  const { exit, stderr } = await endOf(start({ NPM_FAILS: "1" }, ["exec", "true"]));
  assert.equal(exit, 1);
  assert.equal(lastLine(stderr), "fleetban: error: npm ci failed in tools/: no network (ENOTFOUND)");
});

test("arguments, exit code and working folder of the command are the caller's", async () => {
  const { exit, stdout } = await bootstrap("exec", "sh", "-c", 'pwd; echo "$1|$2"; exit 7', "sh", "a b", "$c");
  assert.equal(stdout, `${folder}\na b|$c\n`);
  assert.equal(exit, 7);
});

test("a signal reaches the command, and its end is ours", async () => {
  await bootstrap("exec", "true");
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const child = start({}, [
      "exec",
      "sh",
      "-c",
      "trap 'echo got; exit 3' TERM INT; echo ready; while :; do sleep 0.05; done",
    ]);
    child.stdout?.once("data", () => child.kill(signal));
    assert.deepEqual(await endOf(child), { exit: 3, stdout: "ready\ngot\n", stderr: "" });
  }
  assert.equal((await bootstrap("exec", "sh", "-c", "kill -KILL $$")).exit, "SIGKILL");
});

test("an unknown command is answered with those there are", async () => {
  const { exit, stderr } = await bootstrap("strat");
  assert.equal(exit, 2);
  assert.match(stderr, /^fleetban: usage: .*start \| demo/);
});

interface End {
  readonly exit: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

function bootstrap(...args: string[]): Promise<End> {
  return endOf(start({}, args));
}

function start(env: Record<string, string>, args: readonly string[]): ChildProcess {
  const path = [join(checkout, "bin"), process.env.PATH].join(delimiter);
  const { INIT_CWD: _, ...inherited } = process.env;
  return spawn(process.execPath, [join(checkout, "tools/bootstrap.mjs"), ...args], {
    cwd: folder,
    env: { ...inherited, CALLS: join(checkout, "calls"), REAL_NODE: process.execPath, ...env, PATH: path },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function endOf(child: ChildProcess): Promise<End> {
  const { promise, resolve, reject } = Promise.withResolvers<End>();
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.on("data", (chunk: Buffer) => {
      texts[name] += chunk.toString();
    });
  }
  child.once("error", reject);
  child.once("close", (code, signal) => resolve({ exit: signal ?? code, ...texts }));
  return promise;
}

async function calls(): Promise<string[]> {
  return (await readFile(join(checkout, "calls"), "utf8")).trim().split("\n");
}

function lastLine(text: string): string | undefined {
  return text.trimEnd().split("\n").at(-1);
}
