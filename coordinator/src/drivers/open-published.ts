/** Joins what publishes lists, and listens, where the configuration wants it. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import { runTasks } from "@fleetban/kit/task-group";
import type { Registry } from "prom-client";
import type { Authority } from "../enrollment/certificates.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { PublishConfig } from "../published/publish-config.ts";
import { createPublishedMetrics } from "../published/published-metrics.ts";
import { createPublisher } from "../published/publisher.ts";
import type { Store } from "../store/store.ts";
import { withPort } from "./advertised.ts";
import type { PortWish } from "./grpc-server.ts";
import { openPublishCertificate } from "./publish-certificate.ts";
import { listenForPublished } from "./publish-listener.ts";

export interface OpenPublishedParts {
  readonly config: PublishConfig;
  readonly store: Pick<Store, "sql">;
  readonly ledger: Ledger;
  readonly authority: Authority;
  /** As others reach this coordinator. */
  readonly hosts: readonly string[];
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface OpenPublished {
  readonly port: number;
  close(): Promise<void>;
}

/** Undefined = nothing is published. */
export function publishPlace(config: PublishConfig): PortWish | undefined {
  const port = config["publish.port"];
  if (port === undefined) return undefined;
  return { host: config["publish.host"], port, purpose: "published lists", key: "publish.port" };
}

/** `https://host:port` each; none = nothing is published. */
export function publishUrls(config: PublishConfig, hosts: readonly string[]): readonly string[] {
  const { "publish.port": port, "publish.host": host, "publish.tls": tls, "publish.names": names } = config;
  if (port === undefined) return [];
  const reached = host === "*" ? (names.length > 0 ? names : hosts) : [host];
  return withPort(reached, port).map((place) => `${tls === "off" ? "http" : "https"}://${place}`);
}

export async function openPublished(parts: OpenPublishedParts): Promise<OpenPublished | undefined> {
  const { config, log } = parts;
  const place = publishPlace(config);
  if (place === undefined) return undefined;
  const publisher = createPublisher(parts);
  const metrics = createPublishedMetrics(parts.registry, publisher.editions);
  const certificate = await openPublishCertificate(parts);
  const { host, port } = place;
  const listener = await listenForPublished({
    ...{ host, port, certificate: certificate.first, answer: publisher.answer, metrics, log },
  });
  const stop = new AbortController();
  const running = runTasks(
    {
      publisher: (inner) => publisher.run(inner),
      certificate: (inner) => certificate.follow(listener.renew, inner),
    },
    stop.signal,
  ).catch((error: unknown) => {
    if (error !== stop.signal.reason) log.error("published.stopped", { error });
  });
  return {
    port: listener.port,
    async close() {
      await listener.close();
      stop.abort(new Error("published lists are closed"));
      await running;
    },
  };
}
