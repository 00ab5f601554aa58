/**
 * Decides the prefixes of a commit from what the database and its sightings say, and what follows from each verdict:
 * a change on `fleet`, a strike, what is remembered of the offender.
 */
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { secondsFromMs, type UnixSeconds } from "@fleetban/proto/model/time";
import { decide, type Verdict } from "../policy/decide.ts";
import { type Evidence, emptyEvidence, type FreshSighting } from "../policy/evidence.ts";
import { decaysAt } from "../policy/offender.ts";
import type { Policy } from "../policy/policy.ts";
import type { ExtendedStrike, NewStrike, RememberedOffender } from "./evidence-queries.ts";
import type { ListChange, Reason } from "./ledger.ts";
import { JAIL_MAX, plainText } from "./plain-text.ts";
import { strikeSummary } from "./strike-summary.ts";
import type { Triaged } from "./triage.ts";

export interface Decided {
  readonly changes: readonly ListChange[];
  readonly offenders: readonly RememberedOffender[];
  readonly strikes: readonly NewStrike[];
  readonly extended: readonly ExtendedStrike[];
  /** Prefixes for which `decide` threw. */
  readonly failed: readonly { readonly prefix: Prefix; readonly error: unknown }[];
}

/** What may count, by the prefix that it counts for. A prolongation is none, but tells a ban's real time. */
export function freshByOffender(sightings: readonly Triaged[]): Map<Prefix, FreshSighting[]> {
  const fresh = new Map<Prefix, FreshSighting[]>();
  for (const { outcome, offender, sighting, agentNo, sightedAtMs } of sightings) {
    const isProlonged = outcome === "no-strike" && sighting.kind === "prolong";
    if (outcome !== "counted" && !isProlonged) continue;
    const { source, protocol, banSeconds, failures } = sighting;
    const jail = plainText(sighting.jail, JAIL_MAX);
    const kind = isProlonged ? "prolong" : "ban";
    const known = fresh.get(offender) ?? [];
    known.push({ agentNo, kind, jail, source, protocol, at: secondsFromMs(sightedAtMs), banSeconds, failures });
    fresh.set(offender, known);
  }
  return fresh;
}

export function decideBatch(
  fresh: ReadonlyMap<Prefix, readonly FreshSighting[]>,
  evidence: ReadonlyMap<Prefix, Evidence>,
  policy: Policy,
  now: UnixSeconds,
  firstStrikeNo: number,
): Decided {
  const changes: ListChange[] = [];
  const offenders: RememberedOffender[] = [];
  const strikes: NewStrike[] = [];
  const extended: ExtendedStrike[] = [];
  const failed: { prefix: Prefix; error: unknown }[] = [];
  for (const [prefix, sightings] of fresh) {
    const known = { ...(evidence.get(prefix) ?? emptyEvidence(prefix)), fresh: sightings };
    try {
      const verdict = decide(known, policy, now);
      const strikeNo = firstStrikeNo + strikes.length;
      const { offender } = verdict;
      if (offender !== undefined && offender !== known.offender) {
        offenders.push({ prefix, offender, decaysAt: decaysAt(offender, policy) });
      }
      if (verdict.kind === "listed" && verdict.strike?.kind === "new") {
        const { struckAt, until, rungSeconds } = verdict.strike;
        const agents = [...new Set(sightings.map(({ agentNo }) => agentNo))];
        strikes.push({ strikeNo, prefix, struckAt, until, agents, summary: strikeSummary(sightings, rungSeconds) });
      }
      if (verdict.kind === "listed" && verdict.strike?.kind === "extended") extended.push(verdict.strike);
      changes.push(...changesOf(prefix, verdict, strikeNo));
    } catch (error) {
      failed.push({ prefix, error });
    }
  }
  return { changes, offenders, strikes, extended, failed };
}

/** Without sightings of its own: what is in force, and what must go. */
export function decideAnew(evidence: ReadonlyMap<Prefix, Evidence>, policy: Policy, now: UnixSeconds): ListChange[] {
  return [...evidence.values()].map((known) => {
    const verdict = decide(known, policy, now);
    const [change] = verdict.kind === "listed" ? changesOf(known.prefix, verdict, 0) : [];
    return change ?? { list: LIST_FLEET, prefix: known.prefix, to: undefined };
  });
}

/** What has merely ended is left to the expiry; what must not be listed goes at once. */
function changesOf(prefix: Prefix, verdict: Verdict, newStrikeNo: number): ListChange[] {
  if (verdict.kind === "not-listed") {
    return verdict.by === undefined ? [] : [{ list: LIST_FLEET, prefix, to: undefined }];
  }
  const { until, rank } = verdict;
  const reasons: Reason[] = verdict.reasons.map(({ kind, number }) => ({ kind, key: `${number ?? newStrikeNo}` }));
  return [{ list: LIST_FLEET, prefix, to: { until, rank, reasons } }];
}
