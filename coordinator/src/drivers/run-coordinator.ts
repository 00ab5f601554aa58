/**
 * One coordinator from start to stop: opens the parts in the order in which they need each other, listens when all of them
 * work, and closes them the other way round, each within a bound of its own.
 */
import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import type { Clock } from "@fleetban/kit/clock";
import { serveHttp } from "@fleetban/kit/drivers/http-endpoints";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { VERSION } from "@fleetban/kit/drivers/version";
import { FleetbanError } from "@fleetban/kit/errors";
import type { Log } from "@fleetban/kit/log";
import { runTasks } from "@fleetban/kit/task-group";
import { createAdmin } from "../admin/admin.ts";
import { historyJobs } from "../admin/history-jobs.ts";
import type { CoordinatorConfig } from "../config.ts";
import { portsOf } from "../config-settings.ts";
import { createAttempts } from "../enrollment/attempts.ts";
import type { Authority } from "../enrollment/certificates.ts";
import type { EnrollmentParts } from "../enrollment/redeem.ts";
import { feedsJobs } from "../feeds/feeds-jobs.ts";
import type { FeedsParts } from "../feeds/parts.ts";
import { createFleet, type Fleet } from "../fleet/fleet.ts";
import { followGroups } from "../fleet/follow-groups.ts";
import { followRevocations, writeReports } from "../fleet/write-reports.ts";
import { packsJobs } from "../guardrails/packs-jobs.ts";
import type { PacksParts } from "../guardrails/sync-packs.ts";
import { hitsJobs } from "../hits/hits-jobs.ts";
import { startBullJobs } from "../jobs/bullmq.ts";
import type { Job, Jobs } from "../jobs/jobs.ts";
import { recorded } from "../jobs/record-runs.ts";
import { createTimerJobs } from "../jobs/timer.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { notificationsJobs } from "../notifications/notifications-jobs.ts";
import type { LifeParts } from "../policies/policy-life.ts";
import { createTrialAlarms } from "../policies/trial-alarms.ts";
import { runPolicies } from "../policies/work.ts";
import type { PolicySource } from "../policy/policy.ts";
import { reportsJobs } from "../reports/reports-jobs.ts";
import { openStore } from "../store/open-store.ts";
import type { Store } from "../store/store.ts";
import { webRoutes } from "../web/endpoints.ts";
import { showFleetCounters } from "../web/fleet-counters.ts";
import { createHealth, type Health } from "../web/health.ts";
import { showHitCounters } from "../web/hit-counters.ts";
import { type CoordinatorMetrics, createCoordinatorMetrics } from "../web/metrics.ts";
import { showReportGauges } from "../web/outgoing-gauges.ts";
import { outgoingWarnings } from "../web/outgoing-warnings.ts";
import { plainStores } from "../web/plain-stores.ts";
import { advertisedHosts, protectedOwnAddresses, withPort } from "./advertised.ts";
import { openAuthorityFiles } from "./authority-files.ts";
import { assertPortUsable, assertSocketUsable } from "./grpc-server.ts";
import { type Listeners, openListeners } from "./listeners.ts";
import { openJudgement } from "./open-judgement.ts";
import { type Outgoing, openOutgoing } from "./open-outgoing.ts";
import { openPublished, publishPlace, publishUrls } from "./open-published.ts";
import { openServerCertificates } from "./server-certificate.ts";
import { notifySystemd } from "./systemd.ts";

export interface RunParts {
  readonly config: CoordinatorConfig;
  readonly log: Log;
  /** `NOTIFY_SOCKET`, where systemd wants to be told. */
  readonly notifySocket: string | undefined;
}

/** What every part is given. */
interface Base {
  readonly config: CoordinatorConfig;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: typeof systemRandom;
  readonly metrics: CoordinatorMetrics;
  readonly replica: string;
  readonly startedAtMs: number;
}

interface Parts extends Base, Outgoing {
  readonly store: Store;
  readonly policy: PolicySource;
  readonly policies: LifeParts;
  readonly ledger: Ledger;
  readonly authority: Authority;
  readonly fleet: Fleet;
  readonly jobs: Jobs;
  readonly feeds: FeedsParts;
  readonly packs: PacksParts;
  readonly health: Health;
}

/** Runs what was opened last first. */
type Closers = (() => Promise<unknown> | unknown)[];

const READY_EVERY_MS = 2_000;

/** Until the signal aborts; rejects when a part fails for good. */
export async function runCoordinator({ config, log, notifySocket }: RunParts, signal: AbortSignal): Promise<void> {
  const closers: Closers = [];
  const work = new AbortController();
  const base: Base = {
    config,
    log,
    clock: systemClock,
    random: systemRandom,
    metrics: createCoordinatorMetrics(VERSION),
    replica: config.replica ?? hostname(),
    startedAtMs: systemClock.nowMs(),
  };
  try {
    for (const wish of [...Object.values(portsOf(config)), publishPlace(config)]) {
      if (wish !== undefined) await assertPortUsable(wish);
    }
    await assertSocketUsable(config.admin_socket);
    const parts = await openParts(base, closers);
    signal.throwIfAborted();
    const running = serve(parts, { notifySocket, work }, closers);
    await Promise.race([running, untilAborted(signal)]);
    log.info("coordinator.stopping");
    await notifySystemd("STOPPING=1", notifySocket);
  } finally {
    for (const close of closers.reverse()) await closeOne(close, log);
  }
  log.info("coordinator.stopped");
}

/** One that fails to close must not keep the others open. */
async function closeOne(close: Closers[number], log: Log): Promise<void> {
  try {
    await close();
  } catch (error) {
    log.warn("coordinator.close_failed", { error });
  }
}

async function openParts(base: Base, closers: Closers): Promise<Parts> {
  const { config, log, clock, random, metrics, replica } = base;
  const authority = await openAuthorityFiles(config.ca_dir ?? join(config.data_dir, "ca"), { clock, random, log });
  const store = await openStore({
    dataDir: config.data_dir,
    log,
    ...(config.database_url === undefined ? {} : { databaseUrl: config.database_url }),
    ...(config.postgres_programs === undefined ? {} : { postgresPrograms: config.postgres_programs }),
  });
  closers.push(() => store.close());
  const judgement = await openJudgement({ ...base, store });
  const { current: inForce, refresh: readPolicy } = judgement.policies;
  const policy = () => inForce().policy;
  const ledger = await openLedger({ store, clock, random, log, policy, readPolicy, observe: metrics });
  closers.push(() => ledger.close());
  const fleet = createFleet({ ledger, clock, random, log, replica, observe: metrics });
  closers.push(() => fleet.close());
  showFleetCounters(metrics.registry, fleet.counters);
  showHitCounters(metrics.registry, fleet.hits, ledger);
  const observe = metrics.jobRan;
  const jobs =
    config.redis_url === undefined
      ? createTimerJobs({ clock, random, log, observe })
      : startBullJobs({ redisUrl: config.redis_url, clock, log, observe });
  closers.push(() => jobs.close());
  const { feeds, packs, policies } = judgement.over(ledger, jobs);
  const hostNames = [hostname(), ...config["advertise.hosts"]];
  const outgoing = openOutgoing({ ...base, store, ledger, fleet, inForce, hostNames });
  showReportGauges(metrics.registry, outgoing.reports);
  const warnings = () => outgoingWarnings({ store, ...outgoing });
  const plain = plainStores(config);
  for (const { code, subject: host } of plain) log.warn("coordinator.store_in_plain_text", { code, host });
  const health = createHealth({ store, ledger, jobs, clock, packs, plainStores: plain, outgoingWarnings: warnings });
  return { ...base, ...outgoing, store, policy, policies, ledger, authority, fleet, jobs, feeds, packs, health };
}

/** Listens, says that it is ready, and works until `work` aborts. */
async function serve(
  parts: Parts,
  { notifySocket, work }: { notifySocket: string | undefined; work: AbortController },
  closers: Closers,
): Promise<void> {
  const { config, log, clock, random, store, ledger, fleet, health, metrics, authority } = parts;
  const readiness = { isReady: false };
  const certificates = await openServerCertificates(authority, { clock, random, log });
  const ledgerRuns = runTasks(
    {
      ledger: (inner) => ledger.run(inner),
      reports: (inner) => writeReports({ fleet, store, clock, log }, inner),
      revocations: (inner) => followRevocations({ fleet, store, clock, log }, inner),
      groups: (inner) => followGroups({ fleet, store, clock, log }, inner),
      policies: (inner) => parts.policies.policies.run(inner),
      policyWork: (inner) => runPolicies({ ...parts.policies, alarms: createTrialAlarms(parts) }, inner),
      certificates: (inner) => certificates.run(inner),
      readiness: (inner) => followReadiness(health, readiness, clock, inner),
    },
    work.signal,
  );
  closers.push(() => {
    work.abort(new FleetbanError("stopping", "the coordinator is stopping"));
    return ledgerRuns.catch(() => undefined); // told by `running` where it was a failure
  });
  const hosts = advertisedHosts(config["advertise.hosts"]);
  await protectOwn(ledger, await protectedOwnAddresses(hosts));
  const listeners = await listen(parts, certificates, hosts, readiness);
  closers.push(() => {
    readiness.isReady = false;
    fleet.drain();
    return listeners.close();
  });
  const published = await openPublished({ ...parts, hosts, registry: metrics.registry });
  closers.push(() => published?.close());
  const web = await serveHttp({
    host: config["web.host"],
    port: config["web.port"],
    routes: webRoutes(health, metrics.registry),
    log,
    signal: work.signal,
  });
  for (const job of jobsOf(parts)) parts.jobs.schedule(recorded(job, parts));
  readiness.isReady = true;
  log.info("coordinator.started", {
    version: VERSION,
    replica: parts.replica,
    store: store.kind,
    fleet: withPort(hosts, listeners.fleetPort),
    enrollment: withPort(hosts, listeners.enrollmentPort),
    web: web.port,
    published: published?.port,
    adminSocket: config.admin_socket,
  });
  await notifySystemd("READY=1", notifySocket);
  await ledgerRuns;
}

function jobsOf(parts: Parts): readonly Job[] {
  const { store, ledger, log, policy, feeds } = parts;
  return [
    ...feedsJobs(feeds),
    ...packsJobs(parts.packs),
    ...hitsJobs({ store, ledger, log, policy, brake: feeds.brake }),
    ...reportsJobs(parts.reports),
    ...notificationsJobs(parts.notifications),
    ...historyJobs(parts),
  ];
}

async function listen(
  parts: Parts,
  certificates: Awaited<ReturnType<typeof openServerCertificates>>,
  hosts: readonly string[],
  readiness: { readonly isReady: boolean },
): Promise<Listeners> {
  const { config, store, ledger, authority, clock, random, log } = parts;
  const addresses = {
    fleet: withPort(hosts, config["listen.fleet_port"]),
    enrollment: withPort(hosts, config["listen.enrollment_port"]),
    publish: publishUrls(config, hosts),
  };
  const enrollment: EnrollmentParts = {
    store,
    ledger,
    authority,
    attempts: createAttempts(),
    clock,
    random,
    log,
    coordinators: addresses.fleet,
    observe: parts.metrics.enrollment,
  };
  const { version, replica, startedAtMs } = { version: VERSION, ...parts };
  const program = { version, replica, startedAtMs, jobs: parts.jobs.kind };
  const admin = createAdmin({ ...parts, program, addresses });
  await mkdir(dirname(config.admin_socket), { recursive: true });
  return openListeners(
    { ...parts, admin, enrollment, certificates, sql: store.sql, isReady: () => readiness.isReady },
    { ...portsOf(config), adminSocket: config.admin_socket },
  );
}

/** With those that other replicas have told: each knows its own only. */
async function protectOwn(ledger: Ledger, own: Awaited<ReturnType<typeof protectedOwnAddresses>>): Promise<void> {
  const known = ledger.protectedAddresses().filter(({ agentNo }) => agentNo === 0);
  const missing = own.filter((address) => !known.some((one) => one.address === address));
  if (missing.length === 0) return;
  const added = missing.map((address) => ({ address, origin: "observed" as const }));
  await ledger.setAgentAddresses(0, [...known.map(({ address, origin }) => ({ address, origin })), ...added]);
}

/** For grpc.health.v1, which has to answer without asking the database. */
async function followReadiness(
  health: Health,
  readiness: { isReady: boolean },
  clock: Clock,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    await clock.sleep(READY_EVERY_MS, signal);
    readiness.isReady = (await health.isReady()) && !signal.aborted;
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
