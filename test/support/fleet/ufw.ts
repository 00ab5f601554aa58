/** The real ufw on a host, over copies of its files: the machine's own stay as they are. It lets everybody in. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Host } from "./host.ts";

/** Runs `ufw …`. */
export type Ufw = (...args: readonly string[]) => Promise<void>;

// A command of `ip netns exec` has mounts of its own, which end with it.
const SCRIPT = `set -e
mount --bind "$1/etc" /etc/ufw
mount --bind "$1/lib" /lib/ufw
mount --bind "$1/default" /etc/default/ufw
mount -t tmpfs tmpfs /run
shift
exec timeout 120 ufw "$@"`;

export async function prepareUfw(host: Host, dir: string): Promise<Ufw> {
  await host.run("cp", ["-a", "/etc/ufw", join(dir, "etc")]);
  await host.run("cp", ["-a", "/lib/ufw/.", join(dir, "lib")]);
  const defaults = await readFile("/etc/default/ufw", "utf8");
  const open = defaults
    .replace(/^(DEFAULT_(?:INPUT|FORWARD)_POLICY)=.*/gm, '$1="ACCEPT"')
    .replace(/^(IPT_SYSCTL|IPT_MODULES)=.*/gm, "$1=");
  await writeFile(join(dir, "default"), open);
  return async (...args) => void (await host.run("sh", ["-c", SCRIPT, "sh", dir, ...args]));
}
