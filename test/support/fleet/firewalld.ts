/** A real firewalld on a host, with a bus and a configuration of its own. Its zone lets everybody in. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";

export interface Firewalld extends AsyncDisposable {
  /** As `firewall-cmd --reload` and `--complete-reload` do: it flushes what others made with iptables. */
  reload(how?: "complete"): Promise<void>;
  /** `firewall-cmd` with these. */
  command(args: readonly string[]): Promise<string>;
}

const START_MS = 90_000;
const ANSWERS_WITHIN_SECONDS = "60";
/** Long files of entries take it minutes. */
const WORKS_WITHIN_SECONDS = "300";

export async function startFirewalld(host: Host, dir: string): Promise<Firewalld> {
  await mkdir(join(dir, "zones"), { recursive: true });
  const bus = join(dir, "bus");
  const busConfig = join(dir, "bus.conf");
  await writeFile(busConfig, busText(bus));
  const defaults = await readFile("/etc/firewalld/firewalld.conf", "utf8");
  const config = defaults.replace(/^DefaultZone=.*/m, "DefaultZone=trusted").replace(/^IPv6_rpfilter=.*/m, "");
  await writeFile(join(dir, "firewalld.conf"), `${config}\nIPv6_rpfilter=no\n`);
  const env = { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${bus}` };
  const daemon = host.spawn("dbus-daemon", ["--config-file", busConfig, "--nofork"]);
  await eventually("the bus is there", () => host.run("test", ["-S", bus]).then(() => true));
  const places = ["--default-config", "/usr/lib/firewalld", "--system-config", dir];
  const options = ["--nofork", "--nopid", ...places, "--log-file", join(dir, "firewalld.log")];
  const firewalld = host.spawn("firewalld", options, { env });
  const command = (args: readonly string[], seconds: string) => {
    const address = `DBUS_SYSTEM_BUS_ADDRESS=${env.DBUS_SYSTEM_BUS_ADDRESS}`;
    return host.run("timeout", [seconds, "env", address, "firewall-cmd", ...args]);
  };
  const client = (word: string) => command([word], ANSWERS_WITHIN_SECONDS);
  await eventually("firewalld runs", async () => (await client("--state")).includes("running"), START_MS);
  return {
    reload: async (how) => void (await client(how === "complete" ? "--complete-reload" : "--reload")),
    command: (args) => command(args, WORKS_WITHIN_SECONDS),
    async [Symbol.asyncDispose]() {
      await host.stop(firewalld);
      await host.stop(daemon);
    },
  };
}

/** Everybody may everything: it is alone with its host's programs. */
function busText(socket: string): string {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
`;
}
