/**
 * `npm start`: a complete small installation on this machine, with everything it keeps in one folder.
 *
 * Starts the coordinator with its embedded store, enrolls this machine's agent at the first start, starts the agent, and
 * keeps both alive until Ctrl-C. It ends its start with five lines; everything before goes to stderr.
 */
import { join } from "node:path";
import { FleetbanError } from "../kit/src/errors.ts";
import { closingLines } from "./start/closing-lines.ts";
import { configure, wantedPorts } from "./start/configure.ts";
import { endProcess } from "./start/end-process.ts";
import { ensureEnrolled } from "./start/enroll.ts";
import { type FolderLock, lockFolder } from "./start/folder-lock.ts";
import { assertPortsFree } from "./start/free-ports.ts";
import { type Layout, makeLayout } from "./start/layout.ts";
import { parseOptions, type StartOptions, USAGE } from "./start/options.ts";
import { areAlive, ownersOf } from "./start/owners.ts";
import { type ProgramParts, type RunningProgram, startProgram } from "./start/program.ts";
import { openProgramLog } from "./start/program-log.ts";
import { programPath } from "./start/run-program.ts";
import { pathFromRoot, quoted } from "./start/shell-text.ts";
import { StartError } from "./start/start-error.ts";
import { untilReady } from "./start/until-ready.ts";
import { ROOT } from "./tool.ts";

const COORDINATOR_READY_MS = 120_000; // the first start makes a database, on a slow disk
const AGENT_READY_MS = 60_000;
const LOOK_AT_OWNERS_MS = 1_000;
const SECOND_SIGNAL_AFTER_MS = 1_000; // npm and a terminal may both hand on the same Ctrl-C

const ending = new AbortController();
let isAskedToEnd = false;
const owners = ownersOf(process.ppid);
watchSignals();

try {
  const options = parseOptions(process.argv.slice(2), process.env.INIT_CWD ?? process.cwd(), join(ROOT, "data"));
  if (options === undefined) console.log(USAGE);
  else await start(options);
} catch (error) {
  if (!isAskedToEnd) process.exitCode = complain(error);
}

async function start(options: StartOptions): Promise<void> {
  if (options.isEnforcing && process.getuid?.() !== 0) {
    throw new StartError("not-root", "--enforce: only root may change the kernel's sets", {
      hint: "run it with sudo, or leave --enforce away: the agent then counts and drops nothing",
    });
  }
  const layout = await makeLayout(options.dataDir);
  await using lock = await lockFolder(layout.dataDir, layout.runFile, tell);
  for (const left of lock.left) {
    tell(`ending the ${left.name} that an earlier start left behind (process ${left.pid}) …`);
    await endProcess(left);
  }
  await runInstallation(layout, options, lock);
}

async function runInstallation(layout: Layout, options: StartOptions, lock: FolderLock): Promise<void> {
  const configured = await configure(layout, options);
  await assertPortsFree(wantedPorts(configured));
  const pids = new Map<string, number>();
  let recording = Promise.resolve();
  const record = () => {
    recording = recording.then(() => lock.record(pids, ending.signal.aborted));
  };
  const onPid: ProgramParts["onPid"] = (name, pid) => {
    if (pid === undefined) pids.delete(name);
    else pids.set(name, pid);
    record();
  };
  const launch = (name: "coordinator" | "agent", verb: readonly string[]) => {
    const { config, log } = layout[name];
    const args = [...verb, "--config", config];
    return startProgram(
      { name, file: programPath(`fleetban-${name}`), args, log: openProgramLog(log) },
      { tell, onPid },
    );
  };
  const { webHost, healthHost, ports } = configured;
  const running: RunningProgram[] = [];
  try {
    tell("starting the coordinator …");
    const coordinator = launch("coordinator", []);
    running.push(coordinator);
    const web = { path: "/readyz", host: webHost, port: ports.web, log: layout.coordinator.log };
    await untilReady(coordinator, { name: "coordinator", ...web, waitMs: COORDINATOR_READY_MS }, ending.signal);
    coordinator.keepAlive();
    await ensureEnrolled(layout, tell);
    tell("starting the agent …");
    const agent = launch("agent", ["run"]);
    running.push(agent);
    const health = { path: "/status", isReady: isOnline, host: healthHost, port: ports.health, log: layout.agent.log };
    await untilReady(agent, { name: "agent", ...health, waitMs: AGENT_READY_MS }, ending.signal);
    agent.keepAlive();
    for (const line of closingLines({ ...layout, ...options, ...configured, agentConfig: layout.agent.config })) {
      console.log(line);
    }
    await new Promise((resolve) => ending.signal.addEventListener("abort", resolve, { once: true }));
  } finally {
    ending.abort();
    record();
    if (running.length > 0) tell("stopping …");
    const hasAgent = running.length > 1;
    for (const program of running.reverse()) await program.stop(); // the agent first: it hands over what it has
    await recording;
    await layout.tidy();
    if (options.isEnforcing && hasAgent) tellOfKernel(layout);
  }
}

function watchSignals(): void {
  let firstAtMs = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (firstAtMs === 0) firstAtMs = performance.now();
      else if (performance.now() - firstAtMs > SECOND_SIGNAL_AFTER_MS) process.exit(1); // the kernel ends the programs with us
      endAsAsked();
    });
  }
  setInterval(() => {
    if (!areAlive(owners)) endAsAsked();
  }, LOOK_AT_OWNERS_MS).unref();
}

function endAsAsked(): void {
  isAskedToEnd = true;
  ending.abort();
}

/** Connected, and nothing against it: then whatever is typed next works. */
function isOnline(status: string): boolean {
  const { link, warnables } = JSON.parse(status) as { link: { kind: string }; warnables: { code: string }[] };
  return link.kind === "online" && warnables.every(({ code }) => code !== "not-mirrored");
}

function tellOfKernel({ agent }: Layout): void {
  const command = `npm run -s fleetban-agent -- uninstall --config ${quoted(pathFromRoot(agent.config))}`;
  tell(`the kernel goes on dropping what is listed until it runs out; to end that: ${command}`);
}

function complain(error: unknown): number {
  if (!(error instanceof FleetbanError)) {
    console.error("fleetban: error:", error);
    return 1;
  }
  tell(`error: ${error.message}`);
  if (error.hint !== undefined) tell(`hint: ${error.hint}`);
  return error.code === "bad-options" ? 2 : 1;
}

function tell(text: string): void {
  process.stderr.write(`fleetban: ${text}\n`);
}
