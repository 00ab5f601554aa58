/** Reads what `explain` judges by: all that is known of a prefix on each list, and the sightings that are stored of it. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import type { ExplainedEvidence } from "@fleetban/proto/wire/admin";
import { listFor } from "../ledger/conclude.ts";
import { readEvidence, subjectsOf } from "../ledger/read-evidence.ts";
import { distinctSubjects, type Subject, subjectKey } from "../ledger/subject.ts";
import { evidenceFrom } from "../policy/decide.ts";
import type { Evidence } from "../policy/evidence.ts";
import { exemptionBeginnings, strikesMadeSince } from "./evidence-queries.ts";
import { explainEvidence } from "./explain-evidence.ts";
import type { AdminParts } from "./parts.ts";
import { type OlderSightings, olderSightings, type StoredEvidence, type StoredSighting } from "./stored-evidence.ts";

/** A strike may have been made a moment after its sighting was received. */
const COMMITTED_WITHIN_SECONDS = 300;

export interface Asked {
  /** What its sightings are counted under. */
  readonly offenders: readonly Prefix[];
  /** What is asked about; of anything else it is told what it is. */
  readonly prefix: Prefix;
  readonly sightings: StoredEvidence;
  readonly feedNames: ReadonlyMap<string, string>;
  /** What else would list the prefix, if nothing let it through: `by feed x`, `on feeds with 1.2.3.0/24`. */
  readonly alsoListed: readonly string[];
  /** The never-ban pack of a row of the allowlist; absent = an operator's own. */
  readonly packs: ReadonlyMap<number, string | undefined>;
}

export async function explainJudgement(
  { store: { sql }, ledger, policy: source }: Pick<AdminParts, "store" | "ledger" | "policy">,
  { prefix, offenders, sightings: { newest, cutAt }, feedNames, alsoListed, packs }: Asked,
  now: UnixSeconds,
): Promise<ExplainedEvidence[]> {
  const policy = source();
  const lists = new Map(ledger.lists().map(({ list }) => [list.list, list]));
  const oldest = unixSeconds(now - policy.retentionSeconds);
  // What was struck before the cut, or a moment after it, stands as it was struck.
  const from = cutAt === undefined ? oldest : unixSeconds(Math.floor(cutAt) + COMMITTED_WITHIN_SECONDS);
  const subjects = await subjectsOf(sql, offenders, policy);
  const [evidence, madeBySightings] = await Promise.all([
    readEvidence(sql, distinctSubjects([...newest.map(subjectOf), ...subjects]), policy),
    strikesMadeSince(sql, offenders, from),
  ]);
  const exemptions = [...evidence.values()].flatMap((one) => one.exemptions);
  const begunAt = await exemptionBeginnings(sql, exemptions);
  const agents = new Map(newest.map(({ received, agent }) => [received.agentNo, agent]));
  const names = {
    agent: (agentNo: number) => agents.get(agentNo) ?? "(removed)",
    feed: (feedNo: number) => feedNames.get(String(feedNo)) ?? String(feedNo),
    pack: (allowlistNo: number) => packs.get(allowlistNo),
  };
  const telling = [...evidence.values()].filter(isTelling);
  const older = await Promise.all(telling.map(olderOf));
  return telling.flatMap((known, at) => told(known, older[at] ?? []));

  function told(known: Evidence, older: readonly OlderSightings[]): ExplainedEvidence[] {
    const asked = {
      list: lists.get(known.list)?.name ?? String(known.list),
      known,
      alsoListed: known.prefix === prefix ? alsoListed : [],
      madeBySightings,
      sightings: newest
        .filter((one) => subjectKey(subjectOf(one)) === subjectKey(known))
        .map(({ received }) => received),
      older,
      window: { from, begunAt },
    };
    const lines = explainEvidence(asked, policy, now, names);
    return known.prefix === prefix ? lines : lines.map((line) => ({ ...line, text: `${known.prefix}: ${line.text}` }));
  }

  async function olderOf(known: Evidence): Promise<readonly OlderSightings[]> {
    if (cutAt === undefined || !offenders.includes(known.prefix)) return [];
    const { halfLifeSeconds } = policy;
    const older = { from: oldest, cutAt, evidenceFrom: evidenceFrom(known), halfLifeSeconds };
    const sums = await olderSightings(sql, known.prefix, older);
    return sums.filter(({ jail }) => listFor(jail, policy, lists) === known.list);
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
