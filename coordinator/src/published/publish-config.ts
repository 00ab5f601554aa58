/** Where lists are published: keys of coordinator.yaml, and what they come to. */
import type { ConfigOf, ConfigTable } from "@fleetban/kit/config";
import { FleetbanError } from "@fleetban/kit/errors";

export const PUBLISH_CONFIG = {
  "publish.port": {
    kind: "number",
    default: undefined,
    min: 1,
    max: 65_535,
    description: "Port of published lists and of the pull protocol of CrowdSec's bouncers, such as 7745; default: none",
  },
  "publish.host": {
    kind: "text",
    default: "*",
    description: "Address on which lists are published; * = all",
  },
  "publish.tls": {
    kind: "choice",
    of: ["own", "files", "off"],
    default: "own",
    description: "Certificate: one of the coordinator's own authority, one in files, or plain HTTP, on loopback only",
  },
  "publish.certificate_file": {
    kind: "text",
    default: undefined,
    description: "With publish.tls: files, the certificate and its chain, PEM; read anew when it changes",
  },
  "publish.key_file": { kind: "text", default: undefined, description: "With publish.tls: files, its key, PEM" },
  "publish.names": {
    kind: "texts",
    default: [],
    description: "Names and addresses that the own certificate is good for; default: advertise.hosts",
    check: (text) => (/^[A-Za-z0-9.:_-]{1,253}$/.test(text) ? undefined : "must be a host name or an address, no port"),
  },
  "publish.plain_http_anywhere": {
    kind: "flag",
    default: false,
    description: "With publish.tls: off, also beyond loopback: whoever is on the way reads tokens and changes lists",
  },
} as const satisfies ConfigTable;

export type PublishConfig = ConfigOf<typeof PUBLISH_CONFIG>;

const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|::1|localhost)$/;

/** Throws where the keys contradict each other. */
export function checkPublishConfig(config: PublishConfig, file: string): void {
  const { "publish.tls": tls, "publish.host": host } = config;
  const hasFiles = config["publish.certificate_file"] !== undefined && config["publish.key_file"] !== undefined;
  if (tls === "files" && !hasFiles) {
    const remedy = "name both publish.certificate_file and publish.key_file";
    throw new FleetbanError("bad-config", `${file}: publish.tls is files: needs a certificate and its key; ${remedy}`);
  }
  if (tls === "off" && !LOOPBACK.test(host) && !config["publish.plain_http_anywhere"]) {
    const remedy = "set publish.host to 127.0.0.1, or publish.plain_http_anywhere to true if the network is safe";
    throw new FleetbanError("bad-config", `${file}: publish.tls is off and publish.host is ${host}; ${remedy}`);
  }
}
