/**
 * How many decisions one core makes a second: sightings of a fleet in the order in which they came, each decided with what
 * the one before it left of its offender, as the ledger does, and without a database.
 *
 * Offenders are not alike: a few come back all the time from many agents, most are seen a few times. Some are allowed or
 * pardoned, some stand in feeds, and jails are weighed differently.
 */
import { seededRandom } from "@fleetban/kit/random";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import { decide } from "../coordinator/src/policy/decide.ts";
import { type Evidence, emptyEvidence, type FreshSighting, type Strike } from "../coordinator/src/policy/evidence.ts";
import type { Policy } from "../coordinator/src/policy/policy.ts";
import { DEFAULT_POLICY } from "../coordinator/src/policy/policy-in-force.ts";

export interface DecideMeasured {
  readonly sightings: number;
  readonly offenders: number;
  /** Of the one core that decided, whatever else the machine did meanwhile. */
  readonly seconds: number;
  readonly strikes: number;
  readonly notListed: number;
}

const WEEK_SECONDS = 7 * 86_400;
const START = 1_800_000_000;
const AGENTS = 1_000;
const JAILS = ["sshd", "sshd", "sshd", "postfix-sasl", "nginx-limit-req", "recidive", "asterisk"];
const policy: Policy = { ...DEFAULT_POLICY, corroboration: 2, jailWeights: { recidive: 0.5 } };

export function measureDecide(sightings: number, offenders: number): DecideMeasured {
  const asked = sightingsOf(sightings, offenders);
  const known: Changing<Evidence>[] = Array.from({ length: offenders }, (_, offender) => beginning(offender));
  let [strikes, notListed] = [0, 0];
  const begun = process.threadCpuUsage();
  for (const { offender, fresh } of asked) {
    const evidence = known[offender];
    if (evidence === undefined) continue;
    evidence.fresh = [fresh];
    const verdict = decide(evidence, policy, fresh.at);
    if (verdict.kind === "not-listed") notListed += 1;
    const change = verdict.kind === "listed" ? verdict.strike : undefined;
    if (change?.kind === "new") strikes += 1;
    evidence.offender = verdict.offender;
    evidence.strikes = after(evidence.strikes, change, strikes);
  }
  const { user, system } = process.threadCpuUsage(begun);
  return { sightings, offenders, seconds: (user + system) / 1e6, strikes, notListed };
}

/** What is known is kept in place, so that the decision is what is measured. */
type Changing<Value> = { -readonly [Key in keyof Value]: Value[Key] };
type Change = Extract<ReturnType<typeof decide>, { kind: "listed" }>["strike"];

function after(strikes: readonly Strike[], change: Change, strikeNo: number): readonly Strike[] {
  if (change === undefined) return strikes;
  if (change.kind === "new") return [...strikes, { ...change, strikeNo }];
  return strikes.map((strike) => (strike.strikeNo === change.strikeNo ? { ...strike, until: change.until } : strike));
}

function sightingsOf(count: number, offenders: number): { offender: number; fresh: FreshSighting }[] {
  const random = seededRandom(7);
  return Array.from({ length: count }, (_, index) => {
    const offender = Math.floor(random.unit() ** 3 * offenders); // the first ones come back most
    const jail = JAILS[Math.floor(random.unit() * JAILS.length)] ?? "sshd";
    const at = unixSeconds(START + Math.floor((index / count) * WEEK_SECONDS));
    const told = { source: "fail2ban", protocol: jail === "asterisk" ? "udp" : "tcp", failures: 5 } as const;
    const agentNo = Math.floor(random.unit() * AGENTS);
    return { offender, fresh: { agentNo, kind: "ban", jail, ...told, at, banSeconds: 600 } };
  });
}

function beginning(offender: number): Evidence {
  const evidence = emptyEvidence(addressOf(offender));
  const feeds = offender % 10 === 0 ? [{ feedNo: 1, confidence: 100 }] : [];
  const kind = offender % 1_000 === 0 ? "allowed" : "pardoned";
  const until = unixSeconds(START + (kind === "allowed" ? 10 * WEEK_SECONDS : WEEK_SECONDS / 2));
  const exemptions = offender % 500 === 0 ? [{ kind, number: 1, prefix: evidence.prefix, until } as const] : [];
  return { ...evidence, feeds, exemptions };
}

/** Globally routable, v4 and now and then v6. */
function addressOf(offender: number): Prefix {
  if (offender % 20 === 0)
    return parsePrefix(`2a0a:${(offender >> 16).toString(16)}:${(offender & 65_535).toString(16)}::/64`);
  return parsePrefix(`45.${(offender >> 16) & 255}.${(offender >> 8) & 255}.${offender & 255}`);
}
