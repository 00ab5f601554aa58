/**
 * A real sshd on a host. Its messages go to an auth.log as a syslog would write them, for fail2ban to read.
 *
 * sshd's own log file has no times; the lines come by stderr and get time, host and process here.
 */
import { execFile } from "node:child_process";
import { appendFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import type { Host } from "./host.ts";

const exec = promisify(execFile);

export interface Sshd {
  readonly authLog: string;
  /** A private key that it lets root in with. */
  readonly key: string;
}

export async function startSshd(host: Host, dir: string): Promise<Sshd> {
  await mkdir(dir, { recursive: true });
  await mkdir("/run/sshd", { recursive: true }); // where sshd separates its privileges: it refuses to start without
  const hostKey = join(dir, "host_key");
  await exec("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", hostKey]);
  const key = join(dir, "client_key");
  await exec("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  const config = join(dir, "sshd_config");
  await writeFile(
    config,
    [
      "Port 22",
      `HostKey ${hostKey}`,
      `PidFile ${join(dir, "sshd.pid")}`,
      "UsePAM no",
      "PasswordAuthentication yes",
      "PermitRootLogin yes",
      `AuthorizedKeysFile ${key}.pub`,
      "StrictModes no", // the test's folder is below /tmp
      "UseDNS no",
      "MaxStartups 200",
      "LoginGraceTime 20",
    ].join("\n"),
  );
  const authLog = join(dir, "auth.log");
  await writeFile(authLog, "");
  const child = host.spawn("/usr/sbin/sshd", ["-D", "-e", "-f", config], { stdio: ["ignore", "ignore", "pipe"] });
  const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream });
  lines.on("line", (line) =>
    appendFileSync(authLog, `${syslogTime()} ${host.name} sshd[${child.pid}]: ${line.trimEnd()}\n`),
  );
  return { authLog, key };
}

/** `Nov  1 09:00:00`, local time. */
function syslogTime(): string {
  const [, month, day, , time] = new Date().toString().split(" ");
  return `${month} ${String(Number(day)).padStart(2)} ${time}`;
}
