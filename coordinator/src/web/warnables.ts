/**
 * The bad states of a coordinator, as data: one code everywhere (`/readyz`, `status`, the metric's label, alerts).
 *
 * `not-ready`: agents are better served by another replica. `warning`: somebody should look, the fleet is served.
 */
import type { FeedWarnable, FeedWarning } from "../feeds/feed-warnables.ts";
import type { GuardrailWarnable } from "../guardrails/guardrail-warnables.ts";
import type { JobsWarnable } from "../jobs/jobs.ts";
import type { PolicyWarnable } from "../policies/policy-warnings.ts";
import type { OutgoingWarnable } from "./outgoing-warnings.ts";
import type { PlainStoreWarnable } from "./plain-stores.ts";

export type WarnableCode =
  | "store-unreachable"
  | "store-full"
  | "ledger-behind"
  | "clock-held"
  | JobsWarnable
  | GuardrailWarnable
  | PolicyWarnable
  | OutgoingWarnable
  | PlainStoreWarnable
  | FeedWarnable;

export interface Warnable {
  readonly code: WarnableCode;
  readonly severity: "not-ready" | "warning";
  /** What is so, what it costs, what to do. */
  readonly text: string;
  /** Of which there are several, such as the feed's name. */
  readonly subject?: string;
}

export const WARNABLES: Readonly<Record<WarnableCode, Pick<Warnable, "severity" | "text">>> = {
  "store-unreachable": {
    severity: "not-ready",
    text: "the database does not answer; agents keep enforcing and collecting, nothing new is listed; look at Postgres",
  },
  "store-full": {
    severity: "not-ready",
    text: "the database's disk is full; sightings wait in the agents' spools, nothing new is listed; make room, it goes on by itself",
  },
  "ledger-behind": {
    severity: "not-ready",
    text: "this replica does not follow the ledger; its agents get changes late; look at its log, restart it",
  },
  "clock-held": {
    severity: "warning",
    text: "the database's clock has jumped; sightings are stored but nothing is decided; set the clock right",
  },
  "redis-unreachable": {
    severity: "warning",
    text: "Redis does not answer; feeds are not fetched until it does; look at Redis, or configure none",
  },
  "database-plaintext": {
    severity: "warning",
    text: "Postgres is reached over a network without TLS: who is on it reads all and can write bans; add ?sslmode=verify-full to database_url",
  },
  "redis-plaintext": {
    severity: "warning",
    text: "Redis is reached over a network without TLS: who is on it reads its password and can start jobs; write rediss:// in redis_url",
  },
  "feed-stale": {
    severity: "warning",
    text: "no good fetch for two turns; its listings run out by themselves; see: fleetban feeds list",
  },
  "feed-without-list": {
    severity: "warning",
    text: "it has never brought a list; it lists nothing; see: fleetban feeds show",
  },
  "feed-unauthorized": {
    severity: "warning",
    text: "the publisher refuses the coordinator; put a valid key into coordinator.yaml and restart, or look at the feed's url",
  },
  "feed-request-refused": {
    severity: "warning",
    text: "the publisher refuses the request; the old list runs out by itself; check the feed's settings",
  },
  "list-held": {
    severity: "warning",
    text: "a change of the whole list was held; what it would take off or add waits; see: fleetban holds list",
  },
  "policy-held": {
    severity: "warning",
    text: "a policy waits for an operator's word, the one before stays in force; see: fleetban holds list",
  },
  "claim-held": {
    severity: "warning",
    text: "an agent claims an address that is listed or widely sighted; it is not protected until somebody says so; see: fleetban holds list",
  },
  "prefix-held": {
    severity: "warning",
    text: "this prefix could not be decided and is set aside; look at the coordinator's log; see: fleetban holds list",
  },
  "policy-on-trial": {
    severity: "warning",
    text: "this policy is tried on one group; after its time without alarm it is put in force for all; see: fleetban policy history",
  },
  "policy-unconfirmed": {
    severity: "warning",
    text: "this policy goes back by itself unless somebody keeps it; say: fleetban policy confirm",
  },
  "policy-went-back": {
    severity: "warning",
    text: "this policy was taken back by itself, after an alarm or for want of a confirmation; look at the cause; see: fleetban policy history",
  },
  "pack-missing": {
    severity: "warning",
    text: "the policy chooses a never-ban pack of which nothing is in force; see: fleetban packs list, and the coordinator's log",
  },
  "reports-without-key": {
    severity: "warning",
    text: "the policy wants reports to AbuseIPDB, and no key is configured; nothing is reported; put reports.abuseipdb.key into coordinator.yaml",
  },
  "reports-unauthorized": {
    severity: "warning",
    text: "AbuseIPDB refuses the key; reports wait for as long as the policy's report.max_age; see: fleetban reports status",
  },
  "reports-failing": {
    severity: "warning",
    text: "several calls of AbuseIPDB in a row have failed; reports wait; see: fleetban reports status",
  },
  "notifications-failing": {
    severity: "warning",
    text: "this channel does not take its messages; operators are not told; see: fleetban notifications list, fleetban notifications test",
  },
  "feed-held": {
    severity: "warning",
    text: "a new list was held, the old one stays in force; see: fleetban holds list",
  },
};

export function warnable(code: WarnableCode, subject?: string): Warnable {
  return { code, ...WARNABLES[code], ...(subject === undefined ? {} : { subject }) };
}

export function feedWarnables(warnings: readonly FeedWarning[]): Warnable[] {
  return warnings.map(({ code, feed }) => warnable(code, feed));
}

/** One line a bad state, the worst first. */
export function warnableLines(warnables: readonly Warnable[]): string[] {
  const worstFirst = [...warnables].sort((one, other) => one.severity.localeCompare(other.severity));
  return worstFirst.map(({ code, severity, subject, text }) => {
    const name = subject === undefined ? code : `${code} (${subject})`;
    return `${severity} ${name}: ${text}`;
  });
}
