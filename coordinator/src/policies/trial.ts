/**
 * A policy on trial: what it would add to any list is put on the list `trial`, which only agents of its canary group are
 * given. It is brought to the plan again and again, because sightings and feeds go on while it is tried.
 *
 * What it would take away stays for all: a trial makes nobody less safe.
 */

import type { Clock } from "@fleetban/kit/clock";
import { piecesOf } from "@fleetban/kit/pieces";
import { LIST_TRIAL, type Rank } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { laterUntil } from "@fleetban/proto/model/until";
import type { Ledger, ListChange } from "../ledger/ledger.ts";
import { prefixFromSql, untilFromSql } from "../ledger/sql-values.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import { kindOf, type PlannedChange, type PlannedEnd } from "./plan-lists.ts";

export interface TrialParts {
  readonly store: Pick<Store, "sql">;
  readonly ledger: Pick<Ledger, "write">;
  readonly clock: Clock;
}

const CHANGES_A_SLICE = 1_000;
const REST_MS = 20;

/** Of several lists' additions of one prefix the longest, at the best rank. */
export function trialListings(changes: readonly PlannedChange[]): Map<Prefix, PlannedEnd> {
  const wanted = new Map<Prefix, PlannedEnd>();
  for (const change of changes) {
    if (kindOf(change) !== "add" || change.after === undefined) continue;
    const known = wanted.get(change.prefix);
    const { until, rank } = change.after;
    wanted.set(
      change.prefix,
      known === undefined
        ? { until, rank }
        : { until: laterUntil(known.until, until), rank: Math.min(known.rank, rank) as Rank },
    );
  }
  return wanted;
}

/**
 * Gives how many listings changed; undefined = `beforeSlice`, asked under the ledger's lock, has ended it. An operator stands
 * behind a trial, and behind its end.
 */
export async function syncTrial(
  { store, ledger, clock }: TrialParts,
  policyNo: number,
  wanted: ReadonlyMap<Prefix, PlannedEnd>,
  beforeSlice: (sql: Sql) => Promise<boolean>,
  signal: AbortSignal,
): Promise<number | undefined> {
  const changes = changesTo(wanted, await selectTrial(store), policyNo);
  let changed = 0;
  for (const some of piecesOf(changes, CHANGES_A_SLICE)) {
    let isOver = false;
    const slice = async (sql: Sql) => {
      isOver = !(await beforeSlice(sql));
      return isOver ? [] : some;
    };
    const written = await ledger.write({ kind: "policy", no: policyNo }, slice, { approved: true });
    if (isOver) return undefined;
    changed += written.changed;
    await clock.sleep(REST_MS, signal);
  }
  return changed;
}

export async function countTrial(store: Pick<Store, "sql">): Promise<number> {
  const [row] = await store.sql<{ listings: number }[]>`
    select count(*)::int as listings from listings where list_no = ${LIST_TRIAL}`;
  return row?.listings ?? 0;
}

function changesTo(
  wanted: ReadonlyMap<Prefix, PlannedEnd>,
  present: ReadonlyMap<Prefix, { until: UnixSeconds; rank: number }>,
  policyNo: number,
): ListChange[] {
  const reasons = [{ kind: "trial" as const, key: String(policyNo) }];
  const puts = [...wanted].flatMap(([prefix, to]): ListChange[] => {
    const known = present.get(prefix);
    if (known?.until === to.until && known.rank === to.rank) return [];
    return [{ list: LIST_TRIAL, prefix, to: { ...to, reasons } }];
  });
  const gone = [...present.keys()].filter((prefix) => !wanted.has(prefix));
  return [...puts, ...gone.map((prefix) => ({ list: LIST_TRIAL, prefix, to: undefined }))];
}

async function selectTrial({ sql }: Pick<Store, "sql">) {
  const rows = await sql<{ prefix: string; until: number | null; rank: number }[]>`
    select prefix::text, extract(epoch from until)::float8 as until, rank from listings where list_no = ${LIST_TRIAL}`;
  return new Map(rows.map((row) => [prefixFromSql(row.prefix), { until: untilFromSql(row.until), rank: row.rank }]));
}
