/** Reads what `explain` judges by: all that is known of a prefix on each list, and the sightings that are stored of it. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import type { ExplainedEvidence } from "@fleetban/proto/wire/admin";
import { listFor } from "../ledger/conclude.ts";
import { readEvidence, subjectsOf } from "../ledger/read-evidence.ts";
import { distinctSubjects, type Subject, subjectKey } from "../ledger/subject.ts";
import type { Evidence } from "../policy/evidence.ts";
import { exemptionBeginnings, strikesMadeSince } from "./evidence-queries.ts";
import { explainEvidence } from "./explain-evidence.ts";
import type { AdminParts } from "./parts.ts";
import { mayBeEvidence, SIGHTINGS_MAX, type StoredSighting } from "./stored-sightings.ts";

/** A strike may have been made a moment after its sighting was received. */
const COMMITTED_WITHIN_SECONDS = 300;

export interface Asked {
  /** What its sightings are counted under. */
  readonly offenders: readonly Prefix[];
  /** What is asked about; of anything else it is told what it is. */
  readonly prefix: Prefix;
  /** Newest first. */
  readonly sightings: readonly StoredSighting[];
  readonly feedNames: ReadonlyMap<string, string>;
  /** What else would list the prefix, if nothing let it through: `by feed x`, `on feeds with 1.2.3.0/24`. */
  readonly alsoListed: readonly string[];
  /** The never-ban pack of a row of the allowlist; absent = an operator's own. */
  readonly packs: ReadonlyMap<number, string | undefined>;
}

export async function explainJudgement(
  { store: { sql }, ledger, policy: source }: Pick<AdminParts, "store" | "ledger" | "policy">,
  { prefix, offenders, sightings, feedNames, alsoListed, packs }: Asked,
  now: UnixSeconds,
): Promise<ExplainedEvidence[]> {
  const policy = source();
  const lists = new Map(ledger.lists().map(({ list }) => [list.list, list]));
  const sighted = sightings.filter(mayBeEvidence).toReversed();
  const isCut = sightings.length === SIGHTINGS_MAX;
  const oldest = sightings.at(-1)?.received.receivedAt ?? now;
  const from = unixSeconds(isCut ? oldest : now - policy.retentionSeconds);
  const subjects = await subjectsOf(sql, offenders, policy);
  const [evidence, madeBySightings] = await Promise.all([
    readEvidence(sql, distinctSubjects([...sighted.map(subjectOf), ...subjects]), policy),
    strikesMadeSince(sql, offenders, unixSeconds(from + (isCut ? COMMITTED_WITHIN_SECONDS : 0))),
  ]);
  const exemptions = [...evidence.values()].flatMap((one) => one.exemptions);
  const begunAt = await exemptionBeginnings(sql, exemptions);
  const agents = new Map(sightings.map(({ received, agent }) => [received.agentNo, agent]));
  const names = {
    agent: (agentNo: number) => agents.get(agentNo) ?? "(removed)",
    feed: (feedNo: number) => feedNames.get(String(feedNo)) ?? String(feedNo),
    pack: (allowlistNo: number) => packs.get(allowlistNo),
  };
  return [...evidence.values()].filter(isTelling).flatMap(told);

  function told(known: Evidence): ExplainedEvidence[] {
    const asked = {
      list: lists.get(known.list)?.name ?? String(known.list),
      known,
      alsoListed: known.prefix === prefix ? alsoListed : [],
      madeBySightings,
      sightings: sighted
        .filter((one) => subjectKey(subjectOf(one)) === subjectKey(known))
        .map(({ received }) => received),
      window: { from, begunAt },
    };
    const lines = explainEvidence(asked, policy, now, names);
    return known.prefix === prefix ? lines : lines.map((line) => ({ ...line, text: `${known.prefix}: ${line.text}` }));
  }

  function subjectOf({ offender, received }: StoredSighting): Subject {
    return { prefix: offender, list: listFor(received.jail, policy, lists) };
  }
}

/** Of networks around that have nothing in them there is nothing to tell. */
function isTelling({ offender, strikes, bans, feeds, exemptions, ownAddress, inside }: Evidence): boolean {
  const pieces = strikes.length + bans.length + feeds.length + exemptions.length + inside.length;
  return offender !== undefined || ownAddress !== undefined || pieces > 0;
}
