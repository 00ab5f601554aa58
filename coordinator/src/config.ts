/**
 * The coordinator's configuration: one table of keys, of which the handbook's page is made too, and the record it gives.
 *
 * A secret may stand in a file of its own (`…_file`), so that the configuration itself can be shown to anybody. Reading
 * those files is the caller's; after `loadConfig` nobody reads files, flags or environment again.
 */
import { type ConfigOf, type ConfigTable, hasKey, readConfig } from "@fleetban/kit/config";
import { FleetbanError } from "@fleetban/kit/errors";
import { ENROLLMENT_PORT, FLEET_PORT, WEB_PORT } from "@fleetban/proto/wire/channel";
import type { Channel } from "./notifications/channel.ts";
import { CHANNEL_TABLE, channelsOf } from "./notifications/channel-config.ts";
import { POLICY_TABLE } from "./policy/policy-table.ts";
import { checkPublishConfig, PUBLISH_CONFIG } from "./published/publish-config.ts";
import { REPORT_CONFIG } from "./reports/report-config.ts";
import { type ReadFile, secretFrom } from "./secret.ts";

export const CONFIG_TABLE = {
  data_dir: {
    kind: "text",
    default: "/var/lib/fleetban/coordinator",
    description: "What the coordinator keeps: its certificate authority and, without database_url, its database",
    check: (text) => (text.startsWith("/") ? undefined : "must be an absolute path; begin it with /"),
  },
  ca_dir: {
    kind: "text",
    default: undefined,
    description: "The certificate authority's two files; default: ca below data_dir. Replicas need the same ones",
  },
  admin_socket: {
    kind: "text",
    default: "/run/fleetban/admin.sock",
    description: "Unix socket of the Admin service; whoever can open it is an operator",
  },
  log_level: {
    kind: "choice",
    of: ["debug", "info", "warn", "error"],
    default: "info",
    description: "Lines of less importance are not logged",
  },
  replica: {
    kind: "text",
    default: undefined,
    description: "Name of this coordinator among others over one database; default: the host's name",
    check: (text) => (/^[A-Za-z0-9._-]{1,64}$/.test(text) ? undefined : "must be 1 to 64 letters, digits, . _ -"),
  },
  "listen.host": {
    kind: "text",
    default: "*",
    description: "Address on which agents reach the coordinator; * = all",
  },
  "listen.fleet_port": port(FLEET_PORT, "Port of Fleet and Admin (mTLS)"),
  "listen.enrollment_port": port(ENROLLMENT_PORT, "Port of Enrollment (TLS)"),
  "advertise.hosts": {
    kind: "texts",
    default: [],
    description:
      "Names or addresses by which agents reach the coordinator, told in enrollment tokens; default: this machine's own",
    check: (text) => (/^[A-Za-z0-9.:_-]{1,253}$/.test(text) ? undefined : "must be a host name or an address, no port"),
  },
  "web.host": {
    kind: "text",
    default: "127.0.0.1",
    description: "Address of /livez, /readyz and /metrics; they are not encrypted and show no addresses of attackers",
  },
  "web.port": port(WEB_PORT, "Port of /livez, /readyz and /metrics"),
  ...PUBLISH_CONFIG,
  database_url: {
    kind: "text",
    default: undefined,
    description:
      "Postgres, as postgres://user:password@host/database; default: one of the coordinator's own in data_dir",
    check: databaseProblem,
  },
  database_url_file: {
    kind: "text",
    default: undefined,
    description: "File that holds database_url",
  },
  postgres_programs: {
    kind: "text",
    default: undefined,
    description: "Folder with initdb and postgres for the coordinator's own database; default: those it brings",
  },
  redis_url: {
    kind: "text",
    default: undefined,
    description:
      "Redis for jobs, as redis://host:6379 or the path of its socket; default: none, jobs run in the process",
  },
  plain_stores_expected: {
    kind: "flag",
    default: false,
    description:
      "Postgres and Redis are reached without TLS over a network that is the coordinator's alone, as between containers of one machine: no warning",
  },
  packs_dir: {
    kind: "text",
    default: undefined,
    description:
      "Folder with never-ban packs of your own, or newer ones than those that come with the program; read each minute",
    check: (text) => (text.startsWith("/") ? undefined : "must be an absolute path; begin it with /"),
  },
  retention: {
    kind: "duration",
    default: "30d",
    min: "1d",
    max: "400d",
    description: "Sightings are kept so long",
  },
  "feeds.abuseipdb.key": {
    kind: "text",
    default: undefined,
    description: "Key of AbuseIPDB's API; without one the feed is off",
  },
  "feeds.abuseipdb.key_file": { kind: "text", default: undefined, description: "File that holds the key" },
  "feeds.abuseipdb.calls_per_day": {
    kind: "number",
    default: 5,
    min: 1,
    max: 10_000,
    description: "Calls that the plan allows in a UTC day; free: 5",
  },
  "feeds.abuseipdb.calls_kept": {
    kind: "number",
    default: 2,
    min: 0,
    max: 10_000,
    description: "Of these, kept for `fleetban feeds fetch`",
  },
  "feeds.abuseipdb.url": {
    kind: "text",
    default: "https://api.abuseipdb.com/api/v2",
    description: "Base of the API",
    check: (text) => (/^https?:\/\/\S+$/.test(text) ? undefined : "must begin with https://"),
  },
  ...REPORT_CONFIG,
  ...CHANNEL_TABLE,
} as const satisfies ConfigTable;

/** As the file has it, secrets read from theirs. */
export type CoordinatorConfig = ConfigOf<typeof CONFIG_TABLE> & {
  /** Of its `notifications`. */
  readonly channels: readonly Channel[];
};

/** Throws a FleetbanError that tells every mistake: `file:line: key is value: problem; remedy`. */
export async function loadConfig(text: string, file: string, readFile: ReadFile): Promise<CoordinatorConfig> {
  const config = readConfig(text, file, CONFIG_TABLE, undefined, (key) =>
    hasKey(POLICY_TABLE, key) ? "the policy: fleetban policy apply" : undefined,
  );
  refuseSharedPorts(config, file);
  checkPublishConfig(config, file);
  const databaseUrl = await secretOf(config, "database_url", "database_url_file", { file, readFile });
  const problem = databaseUrl === undefined ? undefined : databaseProblem(databaseUrl);
  if (problem !== undefined) throw new FleetbanError("bad-config", `${file}: database_url_file: its text ${problem}`);
  const key = await secretOf(config, "feeds.abuseipdb.key", "feeds.abuseipdb.key_file", { file, readFile });
  const reportKey = await secretOf(config, "reports.abuseipdb.key", "reports.abuseipdb.key_file", { file, readFile });
  const secrets = { database_url: databaseUrl, "feeds.abuseipdb.key": key, "reports.abuseipdb.key": reportKey };
  const channels = await channelsOf(config, { file, readFile });
  return Object.freeze({ ...config, ...secrets, channels });
}

const PORTS = ["listen.fleet_port", "listen.enrollment_port", "web.port", "publish.port"] as const;

function refuseSharedPorts(config: ConfigOf<typeof CONFIG_TABLE>, file: string): void {
  for (const [index, key] of PORTS.entries()) {
    const same = PORTS.slice(0, index).find((before) => config[before] === config[key]);
    if (same === undefined) continue;
    const problem = `${same} and ${key} are both ${config[key]}: each needs a port of its own; change one of them`;
    throw new FleetbanError("bad-config", `${file}: ${problem}`);
  }
}

type SecretKey = "database_url" | "feeds.abuseipdb.key" | "reports.abuseipdb.key";
type SecretFileKey = `${SecretKey}_file`;

function secretOf(
  config: ConfigOf<typeof CONFIG_TABLE>,
  key: SecretKey,
  fileKey: SecretFileKey,
  source: { file: string; readFile: ReadFile },
): Promise<string | undefined> {
  return secretFrom({ key, value: config[key], fileKey, path: config[fileKey] }, source);
}

function port(number: number, description: string) {
  return { kind: "number", default: number, min: 1, max: 65_535, description } as const;
}

function databaseProblem(text: string): string | undefined {
  return /^postgres(?:ql)?:\/\/\S+$/.test(text) ? undefined : "must begin with postgres://";
}
