/** Reads what `explain` judges by: all that is known of a prefix on each list, and the sightings that are stored of it. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import type { ExplainedEvidence } from "@fleetban/proto/wire/admin";
import { listFor } from "../ledger/conclude.ts";
import { readEvidence, subjectsOf } from "../ledger/read-evidence.ts";
import { distinctSubjects, type Subject, subjectKey } from "../ledger/subject.ts";
import type { Evidence } from "../policy/evidence.ts";
import { agentNames, exemptionBeginnings, newestSighted, SIGHTED_MAX, strikesMadeSince } from "./evidence-queries.ts";
import { explainEvidence } from "./explain-evidence.ts";
import type { AdminParts } from "./parts.ts";

/** A strike may have been made a moment after its sighting was received. */
const COMMITTED_WITHIN_SECONDS = 300;

/** `offenders` are what its sightings are counted under. */
export async function explainJudgement(
  { store: { sql }, ledger, policy: source }: Pick<AdminParts, "store" | "ledger" | "policy">,
  offenders: readonly Prefix[],
  feedNames: ReadonlyMap<string, string>,
  now: UnixSeconds,
): Promise<ExplainedEvidence[]> {
  const policy = source();
  const lists = new Map(ledger.lists().map(({ list }) => [list.list, list]));
  const [sighted, known] = await Promise.all([newestSighted(sql, offenders), subjectsOf(sql, offenders, policy)]);
  const subjects = distinctSubjects([...sighted.map((one) => subjectOf(one)), ...known]);
  const evidence = await readEvidence(sql, subjects, policy);
  const isCut = sighted.length === SIGHTED_MAX;
  const oldest = sighted.reduce((least, { receivedAt }) => Math.min(least, receivedAt), Number(now));
  const from = unixSeconds(isCut ? oldest : now - policy.retentionSeconds);
  const strikesFrom = unixSeconds(from + (isCut ? COMMITTED_WITHIN_SECONDS : 0));
  const [madeBySightings, begunAt, agents] = await Promise.all([
    strikesMadeSince(sql, offenders, strikesFrom),
    exemptionBeginnings(
      sql,
      [...evidence.values()].flatMap(({ exemptions }) => exemptions),
    ),
    agentNames(
      sql,
      sighted.map(({ agentNo }) => agentNo),
    ),
  ]);
  const names = {
    agent: (agentNo: number) => agents.get(agentNo) ?? "(removed)",
    feed: (feedNo: number) => feedNames.get(String(feedNo)) ?? String(feedNo),
  };
  return [...evidence.values()].filter(isTelling).flatMap((one) =>
    explainEvidence(
      {
        list: lists.get(one.list)?.name ?? String(one.list),
        known: one,
        madeBySightings,
        sightings: sighted.filter((sighting) => subjectKey(subjectOf(sighting)) === subjectKey(one)),
        window: { from, begunAt },
      },
      policy,
      now,
      names,
    ),
  );

  function subjectOf({ offender, jail }: { offender: Prefix; jail: string }): Subject {
    return { prefix: offender, list: listFor(jail, policy, lists) };
  }
}

/** Of networks around that have nothing in them there is nothing to tell. */
function isTelling({ offender, strikes, bans, feeds, exemptions, ownAddress, inside }: Evidence): boolean {
  const pieces = strikes.length + bans.length + feeds.length + exemptions.length + inside.length;
  return offender !== undefined || ownAddress !== undefined || pieces > 0;
}
