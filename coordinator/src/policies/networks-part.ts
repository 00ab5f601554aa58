/**
 * What a policy makes of networks, which are listed because of what is listed in them (policy/widen.ts): those that would
 * be, and those that would be no more. Rests on the strikes as they are, with those of the judged subjects as they would be.
 */
import { piecesOf } from "@fleetban/kit/pieces";
import type { ListNo } from "@fleetban/proto/model/listing";
import { familyOf, type Prefix } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { isExpired } from "@fleetban/proto/model/until";
import { selectListings } from "../ledger/change-queries.ts";
import { networksAround } from "../ledger/conclude.ts";
import { selectEvidence } from "../ledger/evidence-queries.ts";
import { selectInside } from "../ledger/inside-queries.ts";
import { prefixFromSql, untilFromSql } from "../ledger/sql-values.ts";
import { distinctSubjects, type Subject, subjectKey } from "../ledger/subject.ts";
import { decide } from "../policy/decide.ts";
import { emptyEvidence, type InsideStrike } from "../policy/evidence.ts";
import type { Policy } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";
import type { JudgedSubject } from "./judge-subjects.ts";
import { changeOf, type PlannedChange } from "./plan-lists.ts";

/** Of one judged subject: its strikes in force as the policy has them. */
export interface StrikesAfter extends Subject {
  readonly inside: readonly InsideStrike[];
}

const NETWORKS_AT_ONCE = 500;

export function strikesAfter({ prefix, list, known, windowStrikes, replayed }: JudgedSubject, now: UnixSeconds) {
  const extended = new Map(replayed.extended.map((strike) => [strike.strikeNo, strike]));
  const earlier = known.strikes.filter((strike) => !windowStrikes.includes(strike));
  const seenBy = (replayed.offender ?? known.offender)?.recent.map(({ agentNo }) => agentNo) ?? [];
  const all = [
    ...earlier.map((strike) => ({ until: (extended.get(strike.strikeNo) ?? strike).until, agents: seenBy })),
    ...replayed.strikes.map(({ until, agents }) => ({ until, agents })),
  ];
  const inForce = all.filter(({ until }) => !isExpired(until, now));
  return { prefix, list, inside: inForce.map((strike) => ({ prefix, ...strike })) };
}

export async function planNetworks(
  sql: Sql,
  policy: Policy,
  after: ReadonlyMap<string, StrikesAfter>,
  now: UnixSeconds,
): Promise<PlannedChange[]> {
  const insideByNetwork = new Map<string, InsideStrike[]>();
  const subjects = new Map<string, Subject>();
  const collect = (subject: Subject, strike: InsideStrike) => {
    for (const network of networksAround([subject], policy)) {
      const key = subjectKey(network);
      subjects.set(key, network);
      const known = insideByNetwork.get(key);
      if (known === undefined) insideByNetwork.set(key, [strike]);
      else known.push(strike);
    }
  };
  for (const one of after.values()) for (const strike of one.inside) collect(one, strike);
  for (const one of await strikesInForce(sql, policy)) if (!after.has(subjectKey(one))) collect(one, one.strike);
  const enough = [...subjects.values()].filter((network) => {
    return (insideByNetwork.get(subjectKey(network))?.length ?? 0) >= policy.widening[familyOf(network.prefix)].members;
  });
  const wanted = distinctSubjects([...enough, ...(await widenedNow(sql))]);
  const changes: PlannedChange[] = [];
  for (const slice of piecesOf(wanted, NETWORKS_AT_ONCE)) {
    const evidence = await selectEvidence(sql, slice);
    const sheltered = await selectInside(sql, slice);
    const present = new Map((await selectListings(sql, slice)).map((listing) => [subjectKey(listing), listing]));
    for (const network of slice) {
      const key = subjectKey(network);
      const known = evidence.get(key) ?? emptyEvidence(network.prefix, network.list);
      const inside = insideByNetwork.get(key) ?? [];
      const verdict = decide({ ...known, inside, shelters: sheltered.get(key)?.shelters }, policy, now);
      const listed = present.get(key);
      const before = listed === undefined || isExpired(listed.until, now) ? undefined : listed;
      const reasons = verdict.kind === "listed" ? verdict.reasons.map(({ kind }) => kind) : ["widened"];
      const change = changeOf(network, before, verdict.kind === "listed" ? verdict : undefined, reasons);
      if (change !== undefined) changes.push(change);
    }
  }
  return changes;
}

/** None where the policy widens nothing of that family. */
async function strikesInForce(sql: Sql, { widening }: Policy): Promise<(Subject & { strike: InsideStrike })[]> {
  const families = ([4, 6] as const).filter((family) => widening[family].members > 0);
  const rows = await sql<{ prefix: string; list_no: ListNo; until: number; agents: number[] }[]>`
    select prefix::text, list_no, extract(epoch from until)::float8 as until, agents from strikes
    where voided_at is null and until > clock_timestamp() and family(prefix) = any(${[...families]}::int[])`;
  return rows.map((row) => {
    const prefix: Prefix = prefixFromSql(row.prefix);
    return { prefix, list: row.list_no, strike: { prefix, until: untilFromSql(row.until), agents: row.agents } };
  });
}

async function widenedNow(sql: Sql): Promise<Subject[]> {
  const rows = await sql<{ prefix: string; list_no: ListNo }[]>`
    select prefix::text, list_no from listings where reasons @> '[{"kind": "widened"}]' and list_no <> 1`;
  return rows.map((row) => ({ prefix: prefixFromSql(row.prefix), list: row.list_no }));
}
