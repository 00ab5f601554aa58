/** Hands a ban over as fail2ban's action does: by the shell command that is shipped, or by the one write it comes to. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { banRecord } from "../test/support/fleet/hand-over.ts";

/** Resolves with the monotonic nanoseconds just before it began. */
export type HandOff = (address: string) => Promise<bigint>;

const ACTION = join(import.meta.dirname, "../deploy/fail2ban/action.d/fleetban.conf");
const JAIL = "sshd";
const BAN_SECONDS = 600;
const FAILURES = 5;

/** The append itself: open, write, close, as the shell's `>>` does. */
export function byAppend(path: string): HandOff {
  return async (address) => {
    const record = banRecord({ address, jail: JAIL, banSeconds: BAN_SECONDS, failures: FAILURES });
    const begunNs = process.hrtime.bigint();
    const file = openSync(path, "a");
    writeSync(file, record);
    closeSync(file);
    return begunNs;
  };
}

/** A new shell for each ban, as fail2ban starts one. */
export function byShell(path: string): HandOff {
  const action = readActionBan();
  return async (address) => {
    const command = fillIn(action, path, address);
    const begunNs = process.hrtime.bigint();
    const shell = spawn("/bin/sh", ["-c", command], { stdio: "ignore" });
    const [exitCode] = await once(shell, "exit");
    if (exitCode !== 0) throw new Error(`the action ended with ${exitCode}`);
    return begunNs;
  };
}

/** The command of `actionban` as the file has it, its own tags put in. */
function readActionBan(): string {
  const text = readFileSync(ACTION, "utf8");
  const value = (name: string) => {
    const found = new RegExp(`^${name} = (.*(?:\n[ \t]+.*)*)`, "m").exec(text)?.[1];
    if (found === undefined) throw new Error(`${ACTION} has no ${name}`);
    return found.replaceAll(/\n[ \t]+/g, "\n").replaceAll("%%", "%");
  };
  return value("actionban")
    .replace("<_read>", () => value("_read"))
    .replace("<_ban>", () => value("_ban"));
}

function fillIn(action: string, path: string, address: string): string {
  const tags: Record<string, string> = {
    ...{ name: JAIL, ip: address, fid: address, family: "inet4", time: String(Date.now() / 1_000) },
    ...{ bantime: String(BAN_SECONDS), failures: String(FAILURES), bancount: "1", restored: "0", handoff: path },
    ...{ protocol: "tcp", port: "ssh", evidence: "" },
  };
  return action.replaceAll(/<([a-z0-9_]+)>/g, (tag, name: string) => tags[name] ?? tag);
}
