/**
 * What the coordinator counts, for `/metrics`. The rooms call the object, or keep counters of their own that are read when
 * somebody scrapes; names and labels are those of STYLE's glossary, and no label is ever an address.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export interface CoordinatorMetrics {
  readonly registry: Registry;
  sightings(outcome: string, count: number): void;
  committed(seconds: number): void;
  enrollment(outcome: string): void;
  probe(outcome: string): void;
  auditRecord(): void;
  reports(outcome: string, count: number): void;
  notification(channel: string, outcome: string): void;
  jobRan(job: string, outcome: "done" | "failed", tookMs: number): void;
}

const PREFIX = "fleetban_coordinator_";
/** A commit is a millisecond on a good disk; a second is an outage that the agents' spools bridge. */
const COMMIT_BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const JOB_BUCKETS_SECONDS = [0.01, 0.1, 1, 10, 60, 300];

export function createCoordinatorMetrics(programVersion: string): CoordinatorMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: PREFIX });
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter({ name: `${PREFIX}${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const histogram = (name: string, help: string, buckets: readonly number[], labelNames: readonly string[] = []) =>
    new Histogram({
      name: `${PREFIX}${name}`,
      help,
      buckets: [...buckets],
      labelNames: [...labelNames],
      registers: [registry],
    });
  new Gauge({
    name: `${PREFIX}info`,
    help: "1, with the program's version",
    labelNames: ["version"],
    registers: [registry],
  })
    .labels(programVersion)
    .set(1);
  const sightings = counter("sightings_total", "Sightings stored", ["outcome"]);
  const commits = histogram("ledger_commit_seconds", "Time of a commit of the ledger", COMMIT_BUCKETS_SECONDS);
  const enrollments = counter("enrollments_total", "Enrollments asked for", ["outcome"]);
  const probes = counter("probes_total", "Probes of agents", ["outcome"]);
  const auditRecords = counter("audit_records_total", "Records written to the audit log");
  const reports = counter("reports_total", "Reports to AbuseIPDB, by what became of them", ["outcome"]);
  const notifications = counter("notifications_total", "Attempts to send a message", ["channel", "outcome"]);
  const jobSeconds = histogram("job_seconds", "Time of a job's turn", JOB_BUCKETS_SECONDS, ["job", "outcome"]);
  return {
    registry,
    sightings: (outcome, count) => sightings.inc({ outcome }, count),
    committed: (seconds) => commits.observe(seconds),
    enrollment: (outcome) => enrollments.inc({ outcome }),
    probe: (outcome) => probes.inc({ outcome }),
    auditRecord: () => auditRecords.inc(),
    reports: (outcome, count) => reports.inc({ outcome }, count),
    notification: (channel, outcome) => notifications.inc({ channel, outcome }),
    jobRan: (job, outcome, tookMs) => jobSeconds.observe({ job, outcome }, tookMs / 1_000),
  };
}
