/**
 * A real fail2ban on a host, with a configuration, socket, database and log of its own.
 *
 * It has Debian's filters and actions, the action and the drop-in that we ship, and one jail over the host's sshd; only
 * the place of the hand-off file is another, said in a `.local` as an operator would.
 */
import { cp, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createHostProgram, type HostProgram } from "./child.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";

const SYSTEM = "/etc/fail2ban";
const SHIPPED = join(import.meta.dirname, "../../../deploy/fail2ban");
const START_MS = 60_000;

export interface FleetFail2ban extends Omit<HostProgram, "start"> {
  readonly socket: string;
  readonly handoff: string;
  readonly banLog: string;
  /** Resolves when it answers. */
  start(): Promise<void>;
  /** `fail2ban-client …`; its answer. */
  client(...args: readonly string[]): Promise<string>;
  /** Addresses banned in the sshd jail. */
  banned(): Promise<readonly string[]>;
}

export interface Fail2banOptions {
  readonly authLog: string;
  readonly maxRetry?: number;
  readonly banTime?: string;
}

/** Configured, not started. */
export async function createFail2ban(host: Host, dir: string, options: Fail2banOptions): Promise<FleetFail2ban> {
  const config = join(dir, "etc");
  const [socket, handoff, banLog] = [join(dir, "f2b.sock"), join(dir, "handoff"), join(dir, "fail2ban.log")];
  await mkdir(config, { recursive: true });
  for (const name of ["fail2ban.conf", "jail.conf", "paths-common.conf", "paths-debian.conf", "filter.d", "action.d"]) {
    await cp(join(SYSTEM, name), join(config, name), { recursive: true });
  }
  await cp(join(SHIPPED, "action.d"), join(config, "action.d"), { recursive: true });
  await symlink(join(SHIPPED, "jail.d"), join(config, "jail.d"));
  await writeFile(join(config, "action.d/fleetban.local"), `[Init]\nhandoff = ${handoff}\n`);
  await writeFile(
    join(config, "fail2ban.local"),
    [
      "[Definition]",
      "loglevel = INFO",
      `logtarget = ${banLog}`,
      `socket = ${socket}`,
      `pidfile = ${join(dir, "f2b.pid")}`,
      `dbfile = ${join(dir, "fail2ban.sqlite3")}`,
    ].join("\n"),
  );
  await writeFile(
    join(config, "jail.local"),
    [
      "[sshd]",
      "enabled = true",
      "backend = polling",
      `logpath = ${options.authLog}`,
      `maxretry = ${options.maxRetry ?? 3}`,
      `bantime = ${options.banTime ?? "10m"}`,
      "ignoreself = false", // it would look the host's name up
    ].join("\n"),
  );
  const program = createHostProgram(host, "fail2ban-server", ["-f", "-x", "-c", config, "start"], join(dir, "f2b.out"));
  const client = (...args: readonly string[]) => host.run("fail2ban-client", ["-c", config, ...args]);
  return {
    ...program,
    socket,
    handoff,
    banLog,
    client,
    async start() {
      program.start();
      const answers = async () => (await client("ping")).includes("pong");
      await eventually(`fail2ban on ${host.name} answers (${banLog})`, answers, START_MS);
    },
    banned: async () => (await client("get", "sshd", "banip")).split(/\s+/).filter(Boolean),
  };
}
