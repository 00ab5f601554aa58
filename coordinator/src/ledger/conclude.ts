/**
 * Decides the subjects of a commit, each a prefix on a list, from what the database and its sightings say, and what follows
 * from each verdict: a change of the list, a strike, what is remembered of the offender, the networks around it.
 */
import { LIST_FLEET, type List, type ListNo } from "@fleetban/proto/model/listing";
import { covers, type Prefix } from "@fleetban/proto/model/prefix";
import { secondsFromMs, type UnixSeconds } from "@fleetban/proto/model/time";
import { decide, type Verdict } from "../policy/decide.ts";
import { type Evidence, emptyEvidence, type FreshSighting, type InsideStrike } from "../policy/evidence.ts";
import { decaysAt } from "../policy/offender.ts";
import { listOfJail, type Policy } from "../policy/policy.ts";
import { widerThan } from "../policy/widen.ts";
import type { ExtendedStrike, NewStrike, RememberedOffender } from "./evidence-queries.ts";
import type { ListChange, Reason } from "./ledger.ts";
import { JAIL_MAX, plainText } from "./plain-text.ts";
import { strikeSummary } from "./strike-summary.ts";
import { type Subject, subjectKey } from "./subject.ts";
import type { Triaged } from "./triage.ts";

export interface Decided {
  readonly changes: readonly ListChange[];
  readonly offenders: readonly RememberedOffender[];
  readonly strikes: readonly NewStrike[];
  readonly extended: readonly ExtendedStrike[];
  /** Prefixes for which `decide` threw. */
  readonly failed: readonly { readonly prefix: Prefix; readonly error: unknown }[];
}

/** What a commit brings to one subject. */
export interface FreshEvidence extends Subject {
  readonly sightings: readonly FreshSighting[];
}

/** What may count, by the prefix and the list that it counts for. A prolongation is none, but tells a ban's real time. */
export function freshEvidence(
  sightings: readonly Triaged[],
  policy: Policy,
  lists: ReadonlyMap<ListNo, List>,
): FreshEvidence[] {
  const fresh: FreshOne[] = [];
  for (const { outcome, offender, sighting, agentNo, sightedAtMs } of sightings) {
    const isProlonged = outcome === "no-strike" && sighting.kind === "prolong";
    if (outcome !== "counted" && !isProlonged) continue;
    const { source, protocol, banSeconds, failures } = sighting;
    const jail = plainText(sighting.jail, JAIL_MAX);
    const kind = isProlonged ? "prolong" : "ban";
    const told = { agentNo, kind, jail, source, protocol, banSeconds, failures } as const;
    fresh.push({ prefix: offender, sighting: { ...told, at: secondsFromMs(sightedAtMs) } });
  }
  return bySubject(fresh, policy, lists);
}

export interface FreshOne {
  readonly prefix: Prefix;
  readonly sighting: FreshSighting;
}

/** Each goes to its jail's list. */
export function bySubject(
  fresh: readonly FreshOne[],
  policy: Policy,
  lists: ReadonlyMap<ListNo, List>,
): FreshEvidence[] {
  const bySubjects = new Map<string, Subject & { sightings: FreshSighting[] }>();
  for (const { prefix, sighting } of fresh) {
    const subject = { prefix, list: listFor(sighting.jail, policy, lists) };
    const known = bySubjects.get(subjectKey(subject));
    if (known === undefined) bySubjects.set(subjectKey(subject), { ...subject, sightings: [sighting] });
    else known.sightings.push(sighting);
  }
  return [...bySubjects.values()];
}

/** One that this replica has not heard of yet, or that is none to ban on, is `fleet`. */
export function listFor(jail: string, policy: Policy, lists: ReadonlyMap<ListNo, List>): ListNo {
  const list = listOfJail(plainText(jail, JAIL_MAX), policy);
  return lists.get(list)?.effect === "deny" ? list : LIST_FLEET;
}

/** The networks around a subject that may come to be listed because of it, on its list. */
export function networksAround(subjects: readonly Subject[], policy: Policy): Subject[] {
  return subjects.flatMap(({ prefix, list }) =>
    widerThan(prefix, policy).map((network) => ({ prefix: network, list })),
  );
}

/** `evidence` is that of the subjects and of the networks around them, by `subjectKey`. */
export function decideBatch(
  fresh: readonly FreshEvidence[],
  evidence: ReadonlyMap<string, Evidence>,
  policy: Policy,
  now: UnixSeconds,
  firstStrikeNo: number,
): Decided {
  const changes: ListChange[] = [];
  const offenders: RememberedOffender[] = [];
  const strikes: NewStrike[] = [];
  const extended: ExtendedStrike[] = [];
  const failed: { prefix: Prefix; error: unknown }[] = [];
  const struck: (Subject & { inside: InsideStrike })[] = [];
  for (const { prefix, list, sightings } of fresh) {
    const known = evidence.get(subjectKey({ prefix, list })) ?? emptyEvidence(prefix, list);
    try {
      const verdict = decide({ ...known, fresh: sightings }, policy, now);
      const strikeNo = firstStrikeNo + strikes.length;
      const { offender } = verdict;
      if (offender !== undefined && offender !== known.offender) {
        offenders.push({ prefix, list, offender, decaysAt: decaysAt(offender, policy) });
      }
      const change = verdict.kind === "listed" ? verdict.strike : undefined;
      const agents = [...new Set(sightings.map(({ agentNo }) => agentNo))];
      if (change?.kind === "new") {
        const { struckAt, until, rungSeconds } = change;
        const summary = strikeSummary(sightings, rungSeconds);
        strikes.push({ strikeNo, prefix, list, struckAt, until, agents, summary });
      }
      if (change?.kind === "extended") extended.push(change);
      if (change !== undefined) struck.push({ prefix, list, inside: { prefix, until: change.until, agents } });
      changes.push(...changesOf({ prefix, list }, verdict, strikeNo));
    } catch (error) {
      failed.push({ prefix, error });
    }
  }
  return {
    changes: [...changes, ...widenedChanges(struck, evidence, policy, now)],
    offenders,
    strikes,
    extended,
    failed,
  };
}

/** What the new strikes make of the networks around them. */
function widenedChanges(
  struck: readonly (Subject & { inside: InsideStrike })[],
  evidence: ReadonlyMap<string, Evidence>,
  policy: Policy,
  now: UnixSeconds,
): ListChange[] {
  const networks = new Map(networksAround(struck, policy).map((network) => [subjectKey(network), network]));
  return [...networks].flatMap(([key, network]) => {
    const known = evidence.get(key);
    if (known === undefined) return [];
    const added = struck.filter(({ prefix, list }) => list === network.list && covers(network.prefix, prefix));
    const inside = [...known.inside, ...added.map((one) => one.inside)];
    return changesOf(network, decide({ ...known, inside }, policy, now), 0);
  });
}

/** Without sightings of its own: what is in force, and what must go. */
export function decideAnew(
  evidence: ReadonlyMap<string, Evidence>,
  subjects: readonly Subject[],
  policy: Policy,
  now: UnixSeconds,
): ListChange[] {
  return subjects.map((subject) => {
    const known = evidence.get(subjectKey(subject)) ?? emptyEvidence(subject.prefix, subject.list);
    const verdict = decide(known, policy, now);
    const [change] = verdict.kind === "listed" ? changesOf(subject, verdict, 0) : [];
    return change ?? { list: subject.list, prefix: subject.prefix, to: undefined };
  });
}

/** What has merely ended is left to the expiry; what must not be listed goes at once. */
function changesOf({ prefix, list }: Subject, verdict: Verdict, newStrikeNo: number): ListChange[] {
  if (verdict.kind === "not-listed") return verdict.by === undefined ? [] : [{ list, prefix, to: undefined }];
  const { until, rank } = verdict;
  const reasons: Reason[] = verdict.reasons.map(({ kind, number }) => ({ kind, key: `${number ?? newStrikeNo}` }));
  return [{ list, prefix, to: { until, rank, reasons } }];
}
