/**
 * The certificate of the listener of published lists: one of the coordinator's own authority, renewed long before its end,
 * or one in files, read anew when they change.
 */
import { readFile } from "node:fs/promises";
import type { Clock } from "@fleetban/kit/clock";
import { FleetbanError } from "@fleetban/kit/errors";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import { type Authority, issueServerCertificate } from "../enrollment/certificates.ts";
import type { PublishConfig } from "../published/publish-config.ts";
import type { PemPair } from "./publish-listener.ts";

export interface PublishCertificate {
  /** Undefined = plain HTTP. */
  readonly first: PemPair | undefined;
  /** Gives each new one, until the signal aborts. */
  follow(renew: (pair: PemPair) => void, signal: AbortSignal): Promise<void>;
}

interface CertificateParts {
  readonly config: PublishConfig;
  readonly authority: Authority;
  /** That the own one is good for. */
  readonly hosts: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const LOOK_EVERY_MS = 3_600_000;
const RENEW_EVERY_MS = 60 * 86_400_000; // it is good for 90 days
const LOOPBACK = ["localhost", "127.0.0.1", "::1"];

export async function openPublishCertificate(parts: CertificateParts): Promise<PublishCertificate> {
  const { config, clock, log } = parts;
  const kind = config["publish.tls"];
  if (kind === "off") return { first: undefined, follow: async () => undefined };
  const make = kind === "own" ? () => issueOwn(parts) : () => readFiles(config);
  const everyMs = kind === "own" ? RENEW_EVERY_MS : LOOK_EVERY_MS;
  let current = await make();
  return {
    first: current,
    async follow(renew, signal) {
      for (;;) {
        await clock.sleep(everyMs, signal);
        try {
          const next = await make();
          if (next.certificatePem === current.certificatePem) continue;
          renew(next);
          current = next;
          log.info("published.certificate_renewed");
        } catch (error) {
          log.error("published.certificate_not_renewed", { error }); // the one in use goes on
        }
      }
    },
  };
}

function issueOwn({ config, authority, hosts, random, clock }: CertificateParts): Promise<PemPair> {
  const names = config["publish.names"].length > 0 ? config["publish.names"] : hosts;
  return issueServerCertificate(authority, random, clock.nowMs(), [...new Set([...names, ...LOOPBACK])]);
}

async function readFiles(config: PublishConfig): Promise<PemPair> {
  return {
    certificatePem: await read(config, "publish.certificate_file"),
    keyPem: await read(config, "publish.key_file"),
  };
}

async function read(config: PublishConfig, key: "publish.certificate_file" | "publish.key_file"): Promise<string> {
  const path = config[key] ?? "";
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const message = `${key} is ${JSON.stringify(path)}: cannot be read`;
    throw new FleetbanError("certificate-unreadable", message, { cause, hint: "look at its path and owner" });
  }
}
