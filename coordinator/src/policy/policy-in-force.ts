/** The policy as it is in force: the file as it was applied, and its judging part as `decide` takes it. */
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Source } from "@fleetban/proto/model/sighting";
import { durationSeconds } from "./duration-text.ts";
import type { Policy } from "./policy.ts";
import { readPolicy } from "./policy-file.ts";
import type { PolicyFile } from "./policy-table.ts";

export interface PolicyInForce {
  /** The judging part. */
  readonly policy: Policy;
  /** Everything: each room takes its own section from it. */
  readonly file: PolicyFile;
}

/** Gives the one in force now. */
export type PolicyInForceSource = () => PolicyInForce;

/** What the file does not say. */
export interface PolicyPlace {
  /** Its number in `policies`; 0 = none was applied, the defaults hold. */
  readonly policyNo: number;
  /** `retention` of the coordinator's configuration. */
  readonly retentionSeconds: number;
  /** Numbers of the file's own lists. One that has none yet is left out: what is routed to it goes to `fleet`. */
  readonly listNumbers: ReadonlyMap<string, ListNo>;
}

const DAY = 86_400;

export function policyInForce(file: PolicyFile, place: PolicyPlace): PolicyInForce {
  return Object.freeze({ policy: judgementOf(file, place), file });
}

export function judgementOf(file: PolicyFile, { policyNo, retentionSeconds, listNumbers }: PolicyPlace): Policy {
  const jails = Object.entries(file.jails);
  const sources = ["fail2ban", "log", "socket", "import"] satisfies Source[];
  return {
    policyNo,
    ladderSeconds: file["strikes.ladder"].map((text) => durationSeconds(text) ?? 0),
    minSeconds: file["strikes.minimum"] / 1_000,
    maxSeconds: file["strikes.maximum"] / 1_000,
    strikeMemorySeconds: file["strikes.forget_after"] / 1_000,
    repeatStrikes: file["strikes.repeat_offender"],
    corroboration: file["corroboration.agents"],
    corroborationWindowSeconds: file["corroboration.within"] / 1_000,
    feedsCorroborate: file["corroboration.feeds"],
    threshold: file["weights.threshold"],
    halfLifeSeconds: file["weights.half_life"] / 1_000,
    jailWeights: Object.fromEntries(
      jails.flatMap(([jail, { weight }]) => (weight === undefined ? [] : [[jail, weight]])),
    ),
    defaultWeight: file["weights.jail"],
    forgeableWeight: file["weights.forgeable"],
    forgeableJails: file["weights.forgeable_jails"],
    sourceWeights: Object.fromEntries(
      sources.map((source) => [source, file[`weights.${source}`]]),
    ) as Policy["sourceWeights"],
    udpWeight: file["weights.udp"],
    jailLists: Object.fromEntries(
      jails.flatMap(([jail, { list }]) => {
        const number = listNumbers.get(list);
        return number === undefined ? [] : [[jail, number]];
      }),
    ),
    widening: {
      4: { members: file["ipv4.addresses"], agents: file["ipv4.agents"], lengths: [file["ipv4.length"]] },
      6: { members: file["ipv6.networks"], agents: file["ipv6.agents"], lengths: V6_LENGTHS },
    },
    quota: { burst: file["quota.burst"], perMinute: file["quota.per_minute"] },
    widelySightedAgents: file["claims.widely_sighted"],
    retentionSeconds,
    pruneAfterSeconds: (file.prune_after ?? 0) / 1_000,
  };
}

/** What a site and what a customer is usually given, narrowest first. */
const V6_LENGTHS = [56, 48];

/** Of an empty file: what holds before any is applied. */
export const DEFAULT_IN_FORCE: PolicyInForce = policyInForce(readPolicy("", "(the defaults)"), {
  policyNo: 0,
  retentionSeconds: 30 * DAY,
  listNumbers: new Map(),
});

export const DEFAULT_POLICY: Policy = DEFAULT_IN_FORCE.policy;
