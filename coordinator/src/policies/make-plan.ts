/**
 * What a policy would change, before it is in force: the sightings of the last days replayed by the same `decide` that
 * lists, feeds by what they named last, compared with what is listed now.
 *
 * One transaction that sees the database as of one moment and writes nothing; the window is read in slices, so that a busy
 * fleet's week fits into little memory and nobody waits for it (invariant 9).
 */
import type { Clock } from "@fleetban/kit/clock";
import { createTurns, type Turns } from "@fleetban/kit/turns";
import type { List, ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import type { FeedDefinition } from "../feeds/feed.ts";
import { sizeAfter } from "../guardrails/brake-list.ts";
import { type Collision, findCollisions, type Protection } from "../guardrails/collisions.ts";
import { NOTHING_COVERED } from "../guardrails/cover.ts";
import type { Guardrails } from "../guardrails/guardrails.ts";
import { judgeChange, type ListSize } from "../guardrails/judge-change.ts";
import type { Pack } from "../guardrails/pack.ts";
import { selectProtections } from "../guardrails/protections.ts";
import type { PresentListing } from "../ledger/change-queries.ts";
import { subjectKey } from "../ledger/subject.ts";
import { decide } from "../policy/decide.ts";
import type { Policy } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import type { Candidate } from "./candidate.ts";
import { planFeeds } from "./feeds-part.ts";
import { isChanged, type JudgedSubject } from "./judge-subjects.ts";
import { planNetworks, type StrikesAfter, strikesAfter } from "./networks-part.ts";
import { byList, changeOf, kindOf, type PlannedChange, type PlannedList } from "./plan-lists.ts";
import { replayWindow } from "./replay-window.ts";
import { exemptionBeginnings, type SightedPrefix } from "./window-queries.ts";

export interface PlanParts {
  readonly store: Pick<Store, "transaction">;
  readonly clock: Clock;
}

export interface PlanAsk {
  readonly candidate: Candidate;
  /** As the candidate has them. */
  readonly definitions: readonly FeedDefinition[];
  /** Packs that it chooses, as far as they are known. */
  readonly packs: readonly Pack[];
  /** Those in force: a policy does not lift its own brakes. */
  readonly guardrails: Guardrails;
  readonly days: number;
}

export interface CollisionOnList extends Omit<Collision, "kind"> {
  readonly list: ListNo;
  readonly kind: Collision["kind"] | "pardoned-lately";
}

export interface PolicyPlan {
  readonly days: number;
  readonly sightings: number;
  readonly prefixes: number;
  readonly strikesBefore: number;
  readonly strikesAfter: number;
  readonly changes: readonly PlannedChange[];
  readonly lists: readonly PlannedList[];
  readonly collisions: readonly CollisionOnList[];
  /** Lists that would change too much at once: an operator is asked. */
  readonly wide: readonly string[];
  /** What nobody can know yet. */
  readonly unknown: readonly string[];
  /** Of `changes` those that the feeds make: theirs is to carry them out. */
  readonly feedChanges: ReadonlySet<PlannedChange>;
  /** Prefixes whose strikes, remembered sightings or listings would be written. */
  readonly touched: readonly Prefix[];
  readonly tookMs: number;
}

const DAY_SECONDS = 86_400;
export async function makePlan(parts: PlanParts, ask: PlanAsk, signal: AbortSignal): Promise<PolicyPlan> {
  const begunMs = parts.clock.monotonicMs();
  const plan = await parts.store.transaction(async (sql) => {
    await sql`set transaction isolation level repeatable read, read only`;
    return planWithin(sql, ask, createTurns(parts.clock), signal);
  });
  return { ...plan, tookMs: Math.round(parts.clock.monotonicMs() - begunMs) };
}

async function planWithin(
  sql: Sql,
  ask: PlanAsk,
  turns: Turns,
  signal: AbortSignal,
): Promise<Omit<PolicyPlan, "tookMs">> {
  const { candidate, days } = ask;
  const { policy, lists } = candidate;
  const now = await selectNow(sql);
  const from = unixSeconds(now - days * DAY_SECONDS);
  const judge = { policy, lists, from, now, begunAt: await exemptionBeginnings(sql), turns };
  const tally = { sightings: 0, prefixes: 0, strikesBefore: 0, strikesAfter: 0 };
  const changes: PlannedChange[] = [];
  const touched: Prefix[] = [];
  const suspects: { list: ListNo; prefix: Prefix }[] = [];
  const lately: CollisionOnList[] = [];
  const after = new Map<string, StrikesAfter>();
  const widens = policy.widening[4].members + policy.widening[6].members > 0;
  for await (const { sighted, judged, present } of replayWindow(sql, judge)) {
    signal.throwIfAborted();
    count(tally, sighted, judged, from);
    for (const subject of judged) {
      const key = subjectKey(subject);
      const change = listingChange(subject, present.get(key), now);
      if (change !== undefined) changes.push(change);
      if (change !== undefined || isChanged(subject)) touched.push(subject.prefix);
      if (isKeptOff(subject, policy, now)) suspects.push(subject);
      if (change !== undefined && kindOf(change) === "add") lately.push(...pardonedLately(subject, from, now));
      if (widens) after.set(key, strikesAfter(subject, now));
    }
  }
  changes.push(...(await planNetworks(sql, policy, after, now)));
  const feeds = await planFeeds(sql, ask.definitions, numbersByName(lists), now);
  changes.push(...feeds.changes);
  changes.sort((a, b) => a.list - b.list || (a.prefix < b.prefix ? -1 : 1));
  const sizes = await selectSizes(sql, now);
  const planned = byList(
    changes,
    [...lists.values()].map((list) => ({ list, inForce: sizes.get(list.list)?.listings ?? 0 })),
  );
  const adds = changes.filter((change) => kindOf(change) === "add");
  return {
    days,
    ...tally,
    changes,
    lists: planned,
    collisions: [...(await collisionsOf(sql, [...suspects, ...adds, ...feeds.named], ask.packs)), ...lately],
    wide: wideReasons(planned, sizes, ask.guardrails),
    unknown: feeds.unknown.map((feed) => `feed ${feed} was never fetched: nobody knows what it lists`),
    feedChanges: new Set(feeds.changes),
    touched: [...new Set(touched)],
  };
}

function count(
  tally: { sightings: number; prefixes: number; strikesBefore: number; strikesAfter: number },
  sighted: readonly SightedPrefix[],
  judged: readonly JudgedSubject[],
  from: UnixSeconds,
): void {
  for (const { sightings } of sighted) {
    const within = sightings.filter(({ receivedAt }) => receivedAt >= from).length;
    tally.sightings += within;
    if (within > 0) tally.prefixes += 1;
  }
  for (const { windowStrikes, replayed } of judged) {
    tally.strikesBefore += windowStrikes.length;
    tally.strikesAfter += replayed.strikes.length;
  }
}

/** What only feeds list there is the feeds' affair. */
function listingChange(
  { prefix, list, verdict }: JudgedSubject,
  present: PresentListing | undefined,
  now: UnixSeconds,
): PlannedChange | undefined {
  const before = present === undefined || isExpired(present.until, now) ? undefined : present;
  const isFeeds = before?.reasons.every(({ kind }) => kind === "feed") ?? false;
  if (verdict.kind === "not-listed" && isFeeds) return undefined;
  const after = verdict.kind === "listed" ? { until: verdict.until, rank: verdict.rank } : undefined;
  const reasons = verdict.kind === "listed" ? verdict.reasons : (before?.reasons ?? []);
  return changeOf(
    { list, prefix },
    before,
    after,
    reasons.map(({ kind }) => kind),
  );
}

/** It would be listed, were it not protected, allowed or pardoned. */
function isKeptOff({ known, verdict, replayed }: JudgedSubject, policy: Policy, now: UnixSeconds): boolean {
  if (verdict.kind === "listed" || verdict.by === undefined) return false;
  const exemptions = known.exemptions.filter(({ until }) => isExpired(until, now));
  const strikes = [...known.strikes, ...replayed.strikes];
  return decide({ ...known, exemptions, ownAddress: undefined, strikes }, policy, now).kind === "listed";
}

function pardonedLately({ prefix, list, known }: JudgedSubject, from: UnixSeconds, now: UnixSeconds) {
  const pardon = known.exemptions.find(
    ({ kind, until }) => kind === "pardoned" && isExpired(until, now) && until > from,
  );
  return pardon === undefined ? [] : [{ prefix, list, kind: "pardoned-lately" as const, name: "", by: pardon.prefix }];
}

async function collisionsOf(
  sql: Sql,
  wanted: readonly { readonly list: ListNo; readonly prefix: Prefix }[],
  packs: readonly Pack[],
): Promise<CollisionOnList[]> {
  const chosen = packs.flatMap(({ name, prefixes }) => {
    return prefixes.map((prefix): Protection => ({ prefix, kind: "pack", name }));
  });
  const protections = [...(await selectProtections(sql)), ...chosen];
  const byListNo = Map.groupBy(wanted, ({ list }) => list);
  return [...byListNo].flatMap(([list, some]) => {
    const prefixes = new Set(some.map(({ prefix }) => prefix));
    return findCollisions(prefixes, protections).map((collision) => ({ ...collision, list }));
  });
}

function wideReasons(
  planned: readonly PlannedList[],
  sizes: ReadonlyMap<ListNo, ListSize>,
  guardrails: Guardrails,
): string[] {
  return planned.flatMap(({ list, added, removed }) => {
    const before = sizes.get(list.list) ?? { listings: 0, cover: NOTHING_COVERED };
    const { floor, ceiling } = judgeChange(before, sizeAfter({ before, added, removed }), guardrails);
    return [floor, ceiling].flatMap((reason) => (reason === undefined ? [] : [`list ${list.name}: ${reason}`]));
  });
}

function numbersByName(lists: ReadonlyMap<ListNo, List>): Map<string, ListNo> {
  return new Map([...lists.values()].map((list) => [list.name, list.list]));
}

async function selectNow(sql: Sql): Promise<UnixSeconds> {
  const [row] = await sql<{ now: number }[]>`select extract(epoch from clock_timestamp())::float8 as now`;
  return unixSeconds(Math.floor(row?.now ?? 0));
}

/** What has expired is counted no more; it covers until it is dropped. */
async function selectSizes(sql: Sql, now: UnixSeconds): Promise<Map<ListNo, ListSize>> {
  const rows = await sql<{ list_no: ListNo; listings: number; addresses: number; networks: number }[]>`
    select l.list_no, covered_addresses::float8 as addresses, covered_networks::float8 as networks,
      (select count(*)::int from listings x
        where x.list_no = l.list_no and (until is null or until > to_timestamp(${now}::float8))) as listings
    from lists l`;
  return new Map(
    rows.map((row) => [row.list_no, { listings: row.listings, cover: { 4: row.addresses, 6: row.networks } }]),
  );
}
