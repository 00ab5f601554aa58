/** A whole coordinator for tests: real Postgres, ledger, certificates and gRPC, on free ports and a socket of its own. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createCertificateRequest } from "@fleetban/kit/certificate-request";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { type Log, silentLog } from "@fleetban/kit/log";
import { runTasks } from "@fleetban/kit/task-group";
import { parseEnrollmentToken } from "@fleetban/proto/model/enrollment-token";
import { AdminClient } from "@fleetban/proto/wire/admin";
import { CLIENT_CHANNEL_OPTIONS } from "@fleetban/proto/wire/channel";
import { EnrollmentClient, type EnrollRequest, type EnrollResponse } from "@fleetban/proto/wire/enrollment";
import { FleetClient } from "@fleetban/proto/wire/fleet";
import { type CallOptions, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { createAdmin } from "../admin/admin.ts";
import { createAttempts } from "../enrollment/attempts.ts";
import { defaultGuardrails } from "../feeds/default-guardrails.fixture.ts";
import { defineFeeds } from "../feeds/define-feeds.ts";
import { feedDefinitionsOf } from "../feeds/definitions.ts";
import type { FeedDefinition } from "../feeds/feed.ts";
import { FETCH_LIMITS } from "../feeds/parts.ts";
import { createFleet } from "../fleet/fleet.ts";
import { followGroups } from "../fleet/follow-groups.ts";
import { followRevocations, writeReports } from "../fleet/write-reports.ts";
import type { PacksParts } from "../guardrails/sync-packs.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { openPolicies } from "../policies/policies.ts";
import type { LifeParts } from "../policies/policy-life.ts";
import { createTrialAlarms } from "../policies/trial-alarms.ts";
import { runPolicies } from "../policies/work.ts";
import type { Policy } from "../policy/policy.ts";
import { DEFAULT_POLICY } from "../policy/policy-in-force.ts";
import { beforeClose, createTestDatabase } from "../store/test-database.ts";
import { createHealth } from "../web/health.ts";
import { createCoordinatorMetrics } from "../web/metrics.ts";
import { openAuthorityFiles } from "./authority-files.ts";
import { readFeedFile } from "./feed-file.ts";
import { downloadOverHttp } from "./http-download.ts";
import { openListeners } from "./listeners.ts";
import { type OutgoingConfig, openOutgoing } from "./open-outgoing.ts";
import { readPacks } from "./pack-files.ts";
import { openServerCertificates } from "./server-certificate.ts";

export type TestCoordinator = Awaited<ReturnType<typeof startCoordinator>>;

export interface Pair {
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly caPem: string;
}

const LOOPBACK = "127.0.0.1";

export async function startCoordinator(
  t: TestContext,
  {
    log = silentLog,
    feeds: definitions = [],
    policy = {},
    packs: chosen = [],
    outgoing: given = {},
  }: {
    log?: Log;
    feeds?: readonly FeedDefinition[];
    policy?: Partial<Policy>;
    packs?: string[];
    outgoing?: Partial<OutgoingConfig>;
  } = {},
) {
  const database = await createTestDatabase(t);
  const { store } = database;
  const retentionSeconds = DEFAULT_POLICY.retentionSeconds;
  const policies = await openPolicies({ store, clock: systemClock, log, retentionSeconds });
  const inForce = () => ({ ...policies.current().policy, ...policy });
  const folder = await mkdtemp(join(tmpdir(), "fb-"));
  await defineFeeds(store, definitions);
  const [clock, random] = [systemClock, systemRandom];
  const metrics = createCoordinatorMetrics("test");
  const authority = await openAuthorityFiles(join(folder, "ca"), { clock, random, log });
  const ledger = await openLedger({ store, clock, random, log, policy: inForce, readPolicy: policies.refresh });
  const fleet = createFleet({ ledger, clock, random, log, replica: "test", observe: metrics });
  const jobs = { warnables: () => [] };
  const packs: PacksParts = {
    store,
    ledger,
    log,
    readPacks: () => readPacks(undefined, (error) => assert.fail(String(error))),
    chosen: () => chosen,
  };
  const health = createHealth({ store, ledger, jobs, clock, packs });
  const feeds = {
    ...{ store, ledger, clock, random, log, definitions: () => definitions },
    ...defaultGuardrails(store),
    ...{
      download: downloadOverHttp,
      readFile: readFeedFile,
      limits: FETCH_LIMITS,
      programVersion: "test",
      runId: "test",
    },
  };
  const life: LifeParts = {
    ...{ store, ledger, clock, log, policies, retentionSeconds, runId: "test", readPacks: packs.readPacks },
    definitionsOf: ({ feeds: sections }) => [
      ...definitions,
      ...feedDefinitionsOf({ feeds: sections, abuseipdb: undefined }),
    ],
    onMoved: async () => undefined,
  };
  const attempts = createAttempts();
  const enrollment = {
    ...{ store, ledger, authority, attempts, clock, random, log },
    coordinators: [],
    observe: () => undefined,
  };
  const addresses = { fleet: [`${LOOPBACK}:1`], enrollment: [`${LOOPBACK}:1`] };
  const program = { version: "test", replica: "test", startedAtMs: clock.nowMs(), jobs: "timer" as const };
  const config: OutgoingConfig = {
    channels: [],
    ...{ "reports.abuseipdb.key": undefined, "reports.abuseipdb.url": undefined, "feeds.abuseipdb.key": undefined },
    "feeds.abuseipdb.url": "http://127.0.0.1:9",
    ...given,
  };
  const wires = { config, store, ledger, fleet, clock, random, log, metrics, replica: "test", hostNames: [] };
  const outgoing = openOutgoing({ ...wires, inForce: policies.current });
  const admin = createAdmin({
    ...outgoing,
    ...{ store, ledger, fleet, feeds, packs, health, metrics, authority, clock, random, log, program, addresses },
    policy: inForce,
    policies: life,
  });
  const certificates = await openServerCertificates(authority, { clock, random, log });
  const adminSocket = join(folder, "admin.sock");
  const place = (purpose: string) => ({ host: LOOPBACK, port: 0, purpose, key: purpose });
  const listeners = await openListeners(
    { ...{ fleet, admin, enrollment, certificates, clock, log }, sql: store.sql, isReady: () => true },
    { fleet: place("fleet"), enrollment: place("enrollment"), adminSocket },
  );
  const stop = new AbortController();
  const running = runTasks(
    {
      ledger: (signal) => ledger.run(signal),
      reports: (signal) => writeReports({ fleet, store, clock, log }, signal),
      revocations: (signal) => followRevocations({ fleet, store, clock, log }, signal),
      groups: (signal) => followGroups({ fleet, store, clock, log }, signal),
      policies: (signal) => policies.run(signal),
      policyWork: (signal) => runPolicies({ ...life, alarms: createTrialAlarms({ fleet, ledger, clock }) }, signal),
    },
    stop.signal,
  );
  running.catch(() => undefined); // looked at when the test ends
  const clients: { close(): void }[] = [];
  const opened = <Client extends { close(): void }>(client: Client): Client => {
    clients.push(client);
    return client;
  };
  beforeClose(store, async () => {
    for (const client of clients) client.close();
    fleet.drain();
    await listeners.close();
    stop.abort(new Error("the test is over"));
    await running.catch((error: unknown) => {
      if (error !== stop.signal.reason) throw error;
    });
    fleet.close();
    await ledger.close();
    await rm(folder, { recursive: true, force: true });
  });

  const caPem = authority.certificatePem;
  const fleetTarget = `${LOOPBACK}:${listeners.fleetPort}`;
  const enrollmentTarget = `${LOOPBACK}:${listeners.enrollmentPort}`;
  const mutual = ({ keyPem, certificatePem, caPem: ca }: Pair) =>
    credentials.createSsl(Buffer.from(ca), Buffer.from(keyPem), Buffer.from(certificatePem));

  const adminClient = opened(new AdminClient(`unix:${adminSocket}`, credentials.createInsecure()));
  const enrollmentClient = opened(
    new EnrollmentClient(enrollmentTarget, credentials.createSsl(Buffer.from(caPem)), CLIENT_CHANNEL_OPTIONS),
  );

  const api = {
    ...{
      database,
      store,
      ledger,
      fleet,
      packs,
      authority,
      admin: adminClient,
      enrollment: enrollmentClient,
      folder,
      adminSocket,
    },
    ...{ caPem, fleetTarget, enrollmentTarget, metrics, certificates },
    fleetClient: (pair: Pair) => opened(new FleetClient(fleetTarget, mutual(pair), CLIENT_CHANNEL_OPTIONS)),
    adminClient: (pair: Pair) => opened(new AdminClient(fleetTarget, mutual(pair), CLIENT_CHANNEL_OPTIONS)),
    async enroll(name: string, wish: Partial<EnrollRequest> = {}): Promise<Pair & EnrollResponse> {
      const created = await unary(adminClient, adminClient.createEnrollment, {
        uses: 1,
        validSeconds: 60,
        group: "",
        reason: "",
      });
      const { keyPem, csr } = await createCertificateRequest();
      const { secret } = parseEnrollmentToken(created.token);
      const request = { token: secret, csr, name, programVersion: "test", addresses: [], ...wish };
      const enrolled = await unary(enrollmentClient, enrollmentClient.enroll, request);
      return { ...enrolled, keyPem, certificatePem: enrolled.certificate, caPem };
    },
    async adminPair(name: string): Promise<Pair> {
      const { keyPem, csr } = await createCertificateRequest();
      const request = { csr, name, validSeconds: 0 };
      const { certificate } = await unary(adminClient, adminClient.createAdminCertificate, request);
      return { keyPem, certificatePem: certificate, caPem };
    },
  };
  return api;
}

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => unknown;

/** A call of a generated client, as a promise. */
export function unary<Request, Response>(
  client: object,
  method: Unary<Request, Response>,
  request: Request,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method.call(client, request, new Metadata(), {}, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}
