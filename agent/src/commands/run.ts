/** `fleetban-agent run`: opens the outside, joins it to the agent, and ends cleanly on a signal. */
import { chmodSync, mkdirSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { createBackground } from "@fleetban/kit/background";
import type { Clock } from "@fleetban/kit/clock";
import { createCoreUse } from "@fleetban/kit/drivers/core-use";
import { serveHttp } from "@fleetban/kit/drivers/http-endpoints";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { VERSION } from "@fleetban/kit/drivers/version";
import { FleetbanError } from "@fleetban/kit/errors";
import { fileProblem } from "@fleetban/kit/file-problem";
import { createLog, type Log } from "@fleetban/kit/log";
import { runTasks } from "@fleetban/kit/task-group";
import { type Agent, openAgent } from "../agent.ts";
import type { AgentConfig } from "../config.ts";
import { readBootId } from "../drivers/boot-id.ts";
import { dataFiles } from "../drivers/data-files.ts";
import { createAskFail2ban } from "../drivers/fail2ban-socket.ts";
import { createDial } from "../drivers/grpc-dial.ts";
import { createIdentityHolder } from "../drivers/identity-files.ts";
import { lockDataDir } from "../drivers/lock-data-dir.ts";
import { readMachineFacts } from "../drivers/machine-facts.ts";
import { openBackend, otherBackends } from "../drivers/open-backend.ts";
import { renewCertificate } from "../drivers/renew-certificate.ts";
import { createSessionFacts, SESSIONS_FOLDER } from "../drivers/session-facts.ts";
import { sourceFiles } from "../drivers/source-files.ts";
import { createSpoolFiles } from "../drivers/spool-files.ts";
import { createSystemdNotify, type SystemdNotify } from "../drivers/systemd-notify.ts";
import { machineMoment } from "../drivers/trial-file.ts";
import { listenUnix } from "../drivers/unix-listener.ts";
import { watchPaths } from "../drivers/watch-paths.ts";
import { healthRoutes } from "../health/endpoints.ts";
import { createAgentMetrics } from "../health/metrics.ts";
import { notReadyBecause } from "../health/status.ts";
import { followLoginLog } from "../own-addresses/login-log.ts";
import { protectSessions } from "../own-addresses/protected-sessions.ts";
import { backendFor, type EnforceMode } from "../trial/trial-state.ts";
import { type RunMode, runModes } from "./run-modes.ts";

const PACING_OFF = 1_000;
const READY_LOOK_MS = 200;
const SSHD_LOGS = ["/var/log/auth.log", "/var/log/secure", "/var/log/messages"] as const;
const RESOLVERS = "/etc/resolv.conf";

export async function run(config: AgentConfig): Promise<void> {
  const log = createLog((line) => process.stdout.write(`${line}\n`), systemClock, config.log_level);
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const)
    process.once(name, () => stop.abort(new FleetbanError("stopped", name)));
  prepareFolders(config);
  const lock = await lockDataDir(config.data_dir);
  try {
    await runLocked(config, log, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    log.info("agent.stopped", { because: (stop.signal.reason as Error).message });
  } finally {
    stop.abort(new FleetbanError("stopped", "the agent ended")); // the endpoints hold the process up
    await lock.release();
  }
}

/** The port is taken before the firewall is touched: another agent on this machine would be repairing the same kernel. */
async function runLocked(config: AgentConfig, log: Log, signal: AbortSignal): Promise<void> {
  let agent: Agent | undefined;
  await serveHealth(config, () => agent, log, signal);
  const systemd = createSystemdNotify(process.env);
  signal.addEventListener("abort", systemd.stopping, { once: true });
  const runMode: RunMode = async (mode, inner) => {
    const opened = await open(config, mode, log);
    agent = opened;
    const { backend } = opened.status().firewall;
    log.info("agent.started", { version: VERSION, dataDir: config.data_dir, backend, enforcing: mode.kind });
    const tell = (signalOfTask: AbortSignal) => tellSystemd(systemd, opened.status, signalOfTask);
    await runTasks({ agent: opened.run, systemd: tell }, inner).finally(() => {
      agent = undefined;
    });
  };
  await runModes({ config, log }, runMode, signal);
}

async function open(config: AgentConfig, mode: EnforceMode, log: Log): Promise<Agent> {
  const identity = createIdentityHolder(config.data_dir);
  const fail2banSocket = config["fail2ban.socket"];
  const loginLog = followLoginLog(sourceFiles, config.sshd_log === "" ? SSHD_LOGS : [config.sshd_log]);
  const chosen = backendFor(mode, config.backend);
  const backend = await openBackend({ ...config, backend: chosen }, systemClock, log);
  return await openAgent(
    {
      ...{ clock: clockFor(config), random: systemRandom, log, version: VERSION },
      name: config.name === "" ? hostname() : config.name,
      backend,
      otherBackends: otherBackends(backend.name, systemClock, log),
      enforcing: { mode, uptimeMs: () => machineMoment().uptimeMs },
      dataFiles: dataFiles(config.data_dir),
      spoolFiles: createSpoolFiles(join(config.data_dir, "spool")),
      sourceFiles,
      listen: listenUnix,
      askFail2ban: fail2banSocket === "" ? undefined : createAskFail2ban(fail2banSocket),
      dial: createDial(identity.must),
      identity: identity.get,
      certificateLife: identity.life,
      renewCertificate: async (address) => identity.put(await renewCertificate(identity.must(), address)),
      readMachine: readMachineFacts,
      sessions: protectSessions(systemClock, createSessionFacts(), loginLog),
      watchMachine: (onChange) => watchPaths([`${SESSIONS_FOLDER}/`, loginLog.path, RESOLVERS], onChange),
      bootId: readBootId(),
    },
    config,
  );
}

/** With pacing off nothing is held back. */
function clockFor(config: AgentConfig): Clock {
  if (config["pace.cpu_permille"] === PACING_OFF) return systemClock;
  const { monotonicMs } = systemClock;
  return { ...systemClock, background: createBackground({ monotonicMs, coreUse: createCoreUse() }) };
}

/** A missing folder is made, so that a new data directory needs no further step. */
function prepareFolders(config: AgentConfig): void {
  const handoff = config["fail2ban.handoff"];
  try {
    mkdirSync(config.data_dir, { recursive: true, mode: 0o700 });
    chmodSync(config.data_dir, 0o700);
    mkdirSync(join(config.data_dir, "spool"), { recursive: true, mode: 0o700 });
    if (config.socket !== "") mkdirSync(dirname(config.socket), { recursive: true, mode: 0o755 });
    if (handoff !== "") mkdirSync(dirname(handoff), { recursive: true, mode: 0o750 });
  } catch (cause) {
    const { path } = cause as NodeJS.ErrnoException;
    throw new FleetbanError("folder-unusable", `folder ${path ?? config.data_dir}: ${fileProblem(cause)}`, {
      cause,
      hint: "run the agent as root, or set data_dir, socket and fail2ban.handoff to places that it may write to",
    });
  }
}

/** Until the agent is open they answer that it is starting. */
async function serveHealth(
  config: AgentConfig,
  agent: () => Agent | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { "health.host": host, "health.port": port } = config;
  if (port === 0) return;
  const routes = healthRoutes(() => agent()?.status(), createAgentMetrics());
  await serveHttp({ host, port, routes, log, signal }).catch((cause: NodeJS.ErrnoException) => {
    const problem = cause.code === "EADDRINUSE" ? "is taken by another program" : cause.message;
    throw new FleetbanError("port-unusable", `health.port ${port} on ${host}: ${problem}`, {
      cause,
      hint: "stop the other program, or set health.port to a free one (0 = off)",
    });
  });
}

async function tellSystemd(systemd: SystemdNotify, status: Agent["status"], signal: AbortSignal): Promise<void> {
  while (notReadyBecause(status()) !== undefined) await systemClock.sleep(READY_LOOK_MS, signal);
  systemd.ready();
  for (;;) {
    await systemClock.sleep(systemd.aliveEveryMs ?? 3_600_000, signal);
    systemd.alive();
  }
}
