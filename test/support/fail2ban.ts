/**
 * Runs a real fail2ban-server with a configuration, socket, database and log of its own, below one folder.
 *
 * Its only firewall action is fleetban's, so it touches no rule of any machine. Jails read plain log files in which
 * each line `YYYY-MM-DD HH:MM:SS failure from ADDRESS` is a failure.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./fleet/eventually.ts";

const run = promisify(execFile);
const ACTION = new URL("../../deploy/fail2ban/action.d/fleetban.conf", import.meta.url);
const STOP_DEADLINE_MS = 60_000;

export interface JailConfig {
  readonly name: string;
  /** Lines of its section beside those that every jail here has. */
  readonly options?: readonly string[];
}

export interface Fail2banConfig {
  /** Everything is below it; kept between starts. */
  readonly folder: string;
  readonly jails: readonly JailConfig[];
  /** Lines of the [DEFAULT] section. */
  readonly defaults?: readonly string[];
  readonly handoffPath?: string;
  /** Starts it elsewhere, such as in a network namespace. */
  readonly spawn?: (command: string, args: readonly string[]) => ChildProcess;
}

export interface Fail2ban {
  readonly socketPath: string;
  readonly logPath: string;
  readonly handoffPath: string;
  /** The log that all jails read. */
  readonly failuresPath: string;
  readonly pid: number;
  banip(jail: string, ...ids: readonly string[]): Promise<void>;
  unbanip(jail: string, ...ids: readonly string[]): Promise<void>;
  /** One line of a failure, now. */
  fail(address: string, times?: number): Promise<void>;
  /** Any other command of fail2ban-client. */
  client(...words: readonly string[]): Promise<string>;
  /** As systemd stops it. */
  stop(): Promise<void>;
  kill9(): Promise<void>;
}

export async function startFail2ban(config: Fail2banConfig): Promise<Fail2ban> {
  const { folder } = config;
  const at = (name: string) => join(folder, name);
  const handoffPath = config.handoffPath ?? at("handoff/handoff");
  const failuresPath = at("failures.log");
  await writeConfig(config, handoffPath, failuresPath);
  const socketPath = at("fail2ban.sock");
  const logPath = at("fail2ban.log");
  const base = ["-c", folder, "-s", socketPath, "-p", at("fail2ban.pid")];
  const start = config.spawn ?? ((command, args) => spawn(command, args, { stdio: "ignore" }));
  // -x: a socket left by a kill -9 is replaced, as the systemd unit has it.
  const server = start("fail2ban-server", [...base, "-xf", "--logtarget", logPath, "--loglevel", "INFO", "start"]);
  const ended = once(server, "exit");
  const client = async (...words: readonly string[]) => (await run("fail2ban-client", [...base, ...words])).stdout;
  await eventually("fail2ban answers", async () => {
    if (server.exitCode !== null) throw new Error(`fail2ban-server ended with ${server.exitCode}; see ${logPath}`);
    return (await client("ping")).includes("pong");
  });

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill(signal);
    const killer = setTimeout(() => server.kill("SIGKILL"), STOP_DEADLINE_MS);
    await ended;
    clearTimeout(killer);
  }

  return {
    ...{ socketPath, logPath, handoffPath, failuresPath, client },
    pid: server.pid as number,
    banip: async (jail, ...ids) => void (await client("set", jail, "banip", ...ids)),
    unbanip: async (jail, ...ids) => void (await client("set", jail, "unbanip", ...ids)),
    fail: (address, times = 1) => appendFile(failuresPath, failureLine(address).repeat(times)),
    stop: () => end("SIGTERM"),
    kill9: () => end("SIGKILL"),
  };
}

/** For skipping: a reason when it is not installed. */
export async function fail2banMissing(): Promise<string | false> {
  return await run("fail2ban-server", ["--version"]).then(
    () => false as const,
    () => "needs fail2ban",
  );
}

export function failureLine(address: string, at = new Date()): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} failure from ${address}\n`;
}

async function writeConfig(config: Fail2banConfig, handoffPath: string, failuresPath: string): Promise<void> {
  const at = (name: string) => join(config.folder, name);
  for (const name of ["action.d", "filter.d"]) await mkdir(at(name), { recursive: true });
  await mkdir(join(handoffPath, ".."), { recursive: true });
  await copyFile(ACTION, at("action.d/fleetban.conf"));
  await writeFile(at("filter.d/plain.conf"), "[Definition]\nfailregex = ^\\s*failure from <HOST>$\n");
  await appendFile(failuresPath, "");
  const main = ["[Definition]", "allowipv6 = auto", `dbfile = ${at("fail2ban.sqlite3")}`, "dbpurgeage = 1d"];
  await writeFile(at("fail2ban.conf"), `${main.join("\n")}\n`);
  const defaults = [
    ...["[DEFAULT]", "enabled = true", "backend = polling", "usedns = no", "ignoreself = false", "ignoreip ="],
    ...["findtime = 600", "maxretry = 3", "bantime = 600", "port = 0:65535", "protocol = tcp", "evidence ="],
    `action = fleetban[handoff="${handoffPath}", port="%(port)s", protocol="%(protocol)s", evidence="%(evidence)s"]`,
    ...(config.defaults ?? []),
  ];
  const jails = config.jails.flatMap(({ name, options = [] }) => [
    ...[`[${name}]`, "filter = plain", `logpath = ${failuresPath}`, ...options],
  ]);
  await writeFile(at("jail.conf"), `${[...defaults, ...jails].join("\n")}\n`);
}
