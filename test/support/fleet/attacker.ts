/** What an attacker does: tries passwords over the network, a bounded number of times. */
import type { Host } from "./host.ts";

// A connection that is open when the ban comes is cut without a word: ssh alone would wait for minutes.
const ATTEMPT_SECONDS = 5;
const OPTIONS = [
  "StrictHostKeyChecking=no",
  "UserKnownHostsFile=/dev/null",
  "PubkeyAuthentication=no",
  "PreferredAuthentications=password",
  "NumberOfPasswordPrompts=1",
  "ConnectTimeout=2",
  "LogLevel=QUIET",
];

/** One wrong password; resolves whatever the answer was. */
export async function tryPassword(attacker: Host, target: string, user = "root"): Promise<void> {
  const options = OPTIONS.flatMap((option) => ["-o", option]);
  const attempt = ["sshpass", "-p", "wrong", "ssh", ...options, `${user}@${target}`, "true"];
  await attacker.run("timeout", [String(ATTEMPT_SECONDS), ...attempt]).catch(() => undefined);
}
