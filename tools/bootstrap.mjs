/**
 * Runs a command of this repository with the pinned Node and pnpm, and installs them and all packages before, if needed.
 *
 * It is the only file that runs on whatever Node the machine has (20 or newer, builtins only). What is installed is
 * remembered by the hash of the lock files in a stamp inside the folder it vouches for, so that a deleted folder deletes
 * its stamp, and a second start costs two small reads. Two starts at once wait for each other at a socket that the kernel
 * closes with its owner: no lock survives a crash.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const TOOLS = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(TOOLS);
const NODE = join(TOOLS, "node_modules", `node-linux-${process.arch}`, "bin", "node");
const PNPM = join(TOOLS, "node_modules", "pnpm", "bin", "pnpm.cjs");
const LOCK_POLL_MS = 100;

/**
 * What a command runs; `build` = with a fresh dist/ first, `caller` = in the folder it was called from, `toolchainOnly` = it needs no
 * installed packages (it may be about to change them), `locked` = one at a time.
 */
const COMMANDS = {
  start: { build: true, node: ["tools/start.ts"] },
  demo: { build: true, node: ["tools/demo.ts"] },
  bench: { build: true, node: ["tools/bench.ts"] },
  test: { node: ["tools/test.ts"] },
  check: { node: ["tools/check.ts"] },
  build: { locked: true, node: ["tools/build.ts"] },
  format: { node: ["tools/format.ts"] },
  generate: { node: ["tools/generate.ts"] },
  fleetban: { build: true, caller: true, node: ["dist/fleetban.mjs"] },
  "fleetban-agent": { build: true, caller: true, node: ["dist/fleetban-agent.cjs"] },
  "fleetban-coordinator": { build: true, caller: true, node: ["dist/fleetban-coordinator.mjs"] },
  pnpm: { toolchainOnly: true, caller: true, node: [PNPM] },
  exec: { caller: true },
};

try {
  await main(process.argv.slice(2));
} catch (error) {
  say(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function main([name = "", ...args]) {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    say(`usage: node tools/bootstrap.mjs <${Object.keys(COMMANDS).join(" | ")}> [arguments]`);
    process.exitCode = 2;
    return;
  }
  if (name === "exec" && args.length === 0) throw new Error("exec needs a command, such as: exec node --test kit");
  await install(command.toolchainOnly ? 1 : 2);
  if (command.build) await build();
  const cwd = command.caller ? (process.env.INIT_CWD ?? process.cwd()) : ROOT;
  const [program, ...before] = command.node ? [NODE, join(command.node[0])] : args;
  const script = before.map((path) => (path.startsWith("/") ? path : join(ROOT, path)));
  const unlock = command.locked ? await lock() : () => {};
  await become(program, command.node ? [...script, ...args] : args.slice(1), cwd);
  unlock();
}

async function build() {
  const unlock = await lock();
  if (!existsSync(join(ROOT, "dist/.stamp"))) say("building the programs (first time, about 5 s) …");
  await runQuietly(NODE, [join(ROOT, "tools/build.ts"), "--quiet"], ROOT, "the build failed").finally(unlock);
}

/** The steps are checked without the lock first: nearly always nothing is to be done. */
async function install(upToStep) {
  const pending = () =>
    installSteps()
      .slice(0, upToStep)
      .filter((step) => !step.isDone());
  if (pending().length === 0) return;
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) {
    throw new Error(`fleetban is built on 64-bit Linux (x64, arm64), this is ${process.platform} ${process.arch}`);
  }
  const unlock = await lock();
  try {
    for (const step of pending()) await step.run();
  } finally {
    unlock();
  }
}

function installSteps() {
  const toolchain = stampOf(join(TOOLS, "node_modules"), [join(TOOLS, "package-lock.json")]);
  const packages = stampOf(join(ROOT, "node_modules"), [
    join(ROOT, "pnpm-lock.yaml"),
    join(ROOT, "pnpm-workspace.yaml"),
    join(TOOLS, "package-lock.json"),
  ]);
  return [
    {
      isDone: () => toolchain.holds() && existsSync(NODE),
      run: async () => {
        say("installing the toolchain (Node 24 and pnpm, first time, about 10 s) …");
        const args = ["ci", "--ignore-scripts", "--include=optional", "--no-audit", "--no-fund"];
        await runQuietly("npm", args, TOOLS, "npm ci failed in tools/", process.env); // not the Node that it replaces
        if (!existsSync(NODE)) throw new Error(`npm installed no ${NODE}; is npm told to omit optional packages?`);
        toolchain.write();
      },
    },
    {
      isDone: () => packages.holds(),
      run: async () => {
        say("installing the packages (first time, about 20 s) …");
        const args = [
          PNPM,
          "install",
          "--frozen-lockfile",
          "--prefer-offline",
          "--prod=false",
          "--reporter=append-only",
        ];
        await runQuietly(NODE, args, ROOT, "pnpm install failed");
        packages.write();
      },
    },
  ];
}

/** A stamp lies inside the folder that it describes. */
function stampOf(folder, inputs) {
  const path = join(folder, ".fleetban-stamp");
  const hash = createHash("sha256");
  for (const input of inputs) hash.update(readFileSync(input)).update("\0");
  const wanted = hash.digest("hex");
  return {
    holds: () => existsSync(path) && readFileSync(path, "utf8") === wanted,
    write: () => writeFileSync(path, wanted),
  };
}

/** An abstract unix socket named after the checkout; it is gone when its process is gone. */
async function lock() {
  const name = `\0fleetban-bootstrap-${createHash("sha256").update(ROOT).digest("hex").slice(0, 32)}`;
  for (let attempt = 0; ; attempt += 1) {
    const server = createServer();
    const held = await new Promise((resolve, reject) => {
      server.once("error", (error) => (error.code === "EADDRINUSE" ? resolve(false) : reject(error)));
      server.listen(name, () => resolve(true));
    });
    if (held) return () => server.close();
    if (attempt === 0) say("waiting for another installation or build in this folder …");
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
}

/** Shows what a step printed only when it failed, and the last line that says why in the error. */
async function runQuietly(program, args, cwd, complaint, env = environment()) {
  const output = [];
  const stopForwarding = forwardSignals(() => child);
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output.push(chunk));
  const { code, signal } = await ended(child);
  stopForwarding();
  if (signal !== null) return await dieBy(signal);
  if (code === 0) return;
  const text = Buffer.concat(output).toString().trimEnd();
  process.stderr.write(text === "" ? "" : `${text}\n`);
  const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.exec(text)?.[0];
  throw new Error(offline === undefined ? `${complaint} (exit ${code})` : `${complaint}: no network (${offline})`);
}

/** Runs the command in the foreground and ends as it ended. */
async function become(program, args, cwd) {
  const stopForwarding = forwardSignals(() => child);
  const child = spawn(program, args, { cwd, env: environment(), stdio: "inherit" });
  const { code, signal } = await ended(child);
  stopForwarding();
  if (signal !== null) return await dieBy(signal);
  process.exitCode = code;
}

function ended(child) {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new Error(`${child.spawnfile}: ${error.message}`)));
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}

/**
 * Called before the child is started: a signal that came between its start and this would end us alone. A terminal gives
 * its Ctrl-C to the child as well: forwarding it would make two of one.
 */
function forwardSignals(child) {
  const forward = (signal) => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child().kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"];
  for (const signal of signals) process.on(signal, forward);
  return () => {
    for (const signal of signals) process.off(signal, forward);
  };
}

/** Our caller is to see the signal that ended the command. */
function dieBy(signal) {
  process.kill(process.pid, signal);
  return new Promise((resolve) => setTimeout(resolve, 1_000)); // the signal is on its way
}

/** The admin CLI finds the installation that `npm start` runs here; its folder of sockets may be a link to a shorter path. */
function adminSocket() {
  const run = join(ROOT, "data/run");
  if (process.env.FLEETBAN_SOCKET || !existsSync(run)) return {};
  return { FLEETBAN_SOCKET: join(realpathSync(run), "admin.sock") };
}

function environment() {
  const path = [
    dirname(NODE),
    join(TOOLS, "node_modules", ".bin"),
    join(ROOT, "node_modules", ".bin"),
    process.env.PATH,
  ];
  return { ...process.env, ...adminSocket(), PATH: path.join(delimiter) };
}

function say(text) {
  process.stderr.write(`fleetban: ${text}\n`);
}
