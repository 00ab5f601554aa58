/**
 * Brings the lists to what the policy in force makes of the last days: exactly what its plan says, in slices that give the
 * ledger's row back in between, each judged anew under the lock by the same functions as the plan.
 *
 * What it takes back is voided by its number and what it adds carries it, so that the way back is exact: the strikes of the
 * policy that is rolled back go, those that it took are there again, and what was sighted meanwhile is judged by the one
 * that is in force now. Interrupted, it is begun anew and finds less to do.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { piecesOf } from "@fleetban/kit/pieces";
import { createTurns } from "@fleetban/kit/turns";
import type { List, ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { secondsFromMs, type UnixMs, type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { selectListings } from "../ledger/change-queries.ts";
import { decideAnew, networksAround } from "../ledger/conclude.ts";
import { saveRemembered, selectEvidence } from "../ledger/evidence-queries.ts";
import { selectInside, withInside } from "../ledger/inside-queries.ts";
import type { Ledger, ListChange } from "../ledger/ledger.ts";
import { readEvidence, subjectsOf } from "../ledger/read-evidence.ts";
import { strikeSummary } from "../ledger/strike-summary.ts";
import { distinctSubjects, type Subject, subjectKey } from "../ledger/subject.ts";
import { decaysAt } from "../policy/offender.ts";
import type { Policy } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import { isChanged, type JudgedSubject, judgeSubjects } from "./judge-subjects.ts";
import type { PolicyPlan } from "./make-plan.ts";
import { readFrom } from "./replay-window.ts";
import { voidedBy } from "./stored-policy.ts";
import { addStrikes, replaceStrikes, undoStrikes, voidStrikes } from "./strike-queries.ts";
import { exemptionBeginnings, prefixesTouchedBy, sightedOf } from "./window-queries.ts";

export interface SettleParts {
  readonly store: Pick<Store, "sql">;
  readonly ledger: Pick<Ledger, "write" | "lists" | "ledgerTimeMs">;
  readonly clock: Clock;
  readonly log: Log;
  readonly policy: () => Policy;
}

export interface SettleAsk {
  /** Of the policy in force, for the window that is settled. */
  readonly plan: Pick<PolicyPlan, "touched" | "changes" | "feedChanges">;
  readonly days: number;
  /** The policy that is rolled back; absent = none. */
  readonly undoes: number | undefined;
  readonly isApproved: boolean;
  /** False ends it: somebody else goes on. */
  readonly beforeSlice: () => Promise<boolean>;
}

const PREFIXES_A_SLICE = 250;
/** Sightings that wait for the ledger's row get it in between. */
const REST_MS = 20;
const DAY_SECONDS = 86_400;

/** Gives how many listings changed; undefined = somebody else goes on. */
export async function settle(parts: SettleParts, ask: SettleAsk, signal: AbortSignal): Promise<number | undefined> {
  const { store, ledger, clock } = parts;
  const undone = ask.undoes === undefined ? [] : await prefixesTouchedBy(store.sql, ask.undoes, voidedBy(ask.undoes));
  const ownChanges = ask.plan.changes.filter((change) => !ask.plan.feedChanges.has(change));
  const prefixes = [...new Set([...undone, ...ask.plan.touched])];
  const touched = new Set(prefixes);
  const networks = distinctSubjects(ownChanges.filter(({ prefix }) => !touched.has(prefix)));
  let changed = 0;
  const write = async (plan: (sql: Sql, now: UnixSeconds) => Promise<readonly ListChange[]>) => {
    if (!(await ask.beforeSlice())) return false;
    const cause = { kind: "policy" as const, no: parts.policy().policyNo };
    changed += (await ledger.write(cause, plan, { approved: ask.isApproved })).changed;
    await clock.sleep(REST_MS, signal);
    return true;
  };
  for (const slice of piecesOf(prefixes, PREFIXES_A_SLICE)) {
    if (!(await write((sql) => settleSlice(sql, parts, slice, ask)))) return undefined;
  }
  for (const slice of piecesOf(networks, PREFIXES_A_SLICE)) {
    if (!(await write((sql, now) => decideNetworks(sql, parts.policy(), slice, now)))) return undefined;
  }
  return changed;
}

async function settleSlice(
  sql: Sql,
  parts: SettleParts,
  prefixes: readonly Prefix[],
  { days, undoes }: SettleAsk,
): Promise<ListChange[]> {
  const policy = parts.policy();
  const now = secondsFromMs(parts.ledger.ledgerTimeMs() as UnixMs);
  const from = unixSeconds(now - days * DAY_SECONDS);
  const undone = undoes === undefined ? [] : await undoStrikes(sql, prefixes, undoes);
  const sighted = await sightedOf(sql, prefixes, readFrom(from, policy));
  const lists: ReadonlyMap<ListNo, List> = new Map(parts.ledger.lists().map(({ list }) => [list.list, list]));
  const judge = { policy, lists, from, now, begunAt: await exemptionBeginnings(sql), turns: createTurns(parts.clock) };
  const judged = (await judgeSubjects(sql, sighted, judge)).filter(isChanged);
  await writeJudged(sql, judged, policy);
  const known = await subjectsOf(sql, prefixes, policy);
  const subjects = distinctSubjects([...undone, ...judged, ...known]);
  const all = distinctSubjects([...subjects, ...networksAround(subjects, policy)]);
  return withoutFeeds(sql, decideAnew(await readEvidence(sql, all, policy), all, policy, now));
}

async function decideNetworks(
  sql: Sql,
  policy: Policy,
  networks: readonly Subject[],
  now: UnixSeconds,
): Promise<ListChange[]> {
  const evidence = withInside(await selectEvidence(sql, networks), await selectInside(sql, networks));
  return withoutFeeds(sql, decideAnew(evidence, networks, policy, now));
}

/** What only feeds list there is the feeds' affair. */
async function withoutFeeds(sql: Sql, changes: readonly ListChange[]): Promise<ListChange[]> {
  const removals = changes.filter(({ to }) => to === undefined);
  const present = await selectListings(sql, removals);
  const kept = new Set(present.filter(({ reasons }) => reasons.every(({ kind }) => kind === "feed")).map(subjectKey));
  return changes.filter((change) => change.to !== undefined || !kept.has(subjectKey(change)));
}

async function writeJudged(sql: Sql, judged: readonly JudgedSubject[], policy: Policy): Promise<void> {
  const { policyNo } = policy;
  await voidStrikes(
    sql,
    judged.flatMap(({ strikes }) => strikes.voided.map(({ strikeNo }) => strikeNo)),
    policyNo,
  );
  await replaceStrikes(
    sql,
    judged.flatMap(({ replayed }) => [...replayed.extended]),
    policyNo,
  );
  const added = judged.flatMap(({ prefix, list, strikes }) =>
    strikes.added.map(({ struckAt, until, rungSeconds, madeAt, agents, sightings }) => {
      return { prefix, list, struckAt, until, madeAt, agents, summary: strikeSummary(sightings, rungSeconds) };
    }),
  );
  await addStrikes(sql, added, policyNo);
  const offenders = judged.flatMap(({ prefix, list, known, replayed }) => {
    const nothing = known.offender === undefined ? undefined : { ...known.offender, score: 0, recent: [] };
    const offender = replayed.offender ?? nothing;
    return offender === undefined ? [] : [{ prefix, list, offender, decaysAt: decaysAt(offender, policy) }];
  });
  await saveRemembered(sql, { offenders, strikes: [], extended: [] }, policyNo, 0);
}
