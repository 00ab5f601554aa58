/** Debian's crowdsec-firewall-bouncer on a host, unchanged but for where it asks: its package's configuration, and an override. */
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Host } from "./host.ts";

export interface Bouncer extends AsyncDisposable {
  log(): Promise<string>;
}

export interface BouncerOptions {
  readonly mode: "nftables" | "iptables";
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Whom it believes, PEM. */
  readonly caFile: string;
  /** Go's notation. */
  readonly every: string;
}

const PACKAGED = "/etc/crowdsec/bouncers/crowdsec-firewall-bouncer.yaml";

export async function startBouncer(host: Host, dir: string, options: BouncerOptions): Promise<Bouncer> {
  await mkdir(dir, { recursive: true });
  const config = join(dir, "crowdsec-firewall-bouncer.yaml");
  const log = join(dir, "crowdsec-firewall-bouncer.log");
  await copyFile(PACKAGED, config);
  const override = {
    ...{ mode: options.mode, api_url: options.apiUrl, api_key: options.apiKey, ca_cert_path: options.caFile },
    ...{ update_frequency: options.every, log_dir: `${dir}/`, pid_dir: `${dir}/`, log_level: "debug" },
    prometheus: { enabled: false },
  };
  await writeFile(`${config}.local`, JSON.stringify(override, null, 2)); // JSON is YAML
  const child = host.spawn("crowdsec-firewall-bouncer", ["-c", config]);
  return {
    log: () => readFile(log, "utf8").catch(() => ""),
    [Symbol.asyncDispose]: () => host.stop(child),
  };
}
