/** SQL of the policies: their rows, which is in force, who works on them. */
import { LIST_TRIAL } from "@fleetban/proto/model/listing";
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";
import type { StoredPolicy } from "./stored-policy.ts";

export const POLICY_CHANNEL = "fleetban_policy";

export interface NewPolicy {
  readonly body: string;
  readonly author: string;
  readonly reason: string;
  readonly days: number;
  readonly confirmSeconds: number | undefined;
  readonly canary: { readonly group: string; readonly seconds: number } | undefined;
  readonly isApproved: boolean;
}

export interface InForceRow {
  readonly policyNo: number;
  readonly listsVersion: number;
  /** Absent = the defaults. */
  readonly body: string | undefined;
  /** Tried on a group. */
  readonly trial: { readonly policyNo: number; readonly body: string } | undefined;
}

interface PolicyRow {
  readonly policy_no: number;
  readonly sha256: Buffer;
  readonly author: string;
  readonly reason: string;
  readonly days: number;
  readonly applied_at: Date;
  readonly canary_group: string | null;
  readonly canary_until: Date | null;
  readonly began_at: Date | null;
  readonly confirm_seconds: number | null;
  readonly confirm_by: Date | null;
  readonly confirmed_at: Date | null;
  readonly approved: boolean;
  readonly settled_at: Date | null;
  readonly rolled_back_at: Date | null;
  readonly rolled_back_by: string | null;
  readonly rolled_back_because: string | null;
  readonly undone_at: Date | null;
}

export async function selectInForce(sql: Sql): Promise<InForceRow> {
  const [row] = await sql<
    {
      policy_no: number;
      lists_version: number;
      body: string | null;
      trial_no: number | null;
      trial_body: string | null;
    }[]
  >`
    select l.policy_no, l.lists_version, p.body, t.policy_no as trial_no, t.body as trial_body
    from ledger l left join policies p on p.policy_no = l.policy_no
      left join lateral (select policy_no, body from policies where began_at is null and rolled_back_at is null
        order by policy_no desc limit 1) as t on true`;
  if (row === undefined) return { policyNo: 0, listsVersion: 0, body: undefined, trial: undefined }; // not begun yet
  const { policy_no: policyNo, lists_version: listsVersion, trial_no: trialNo, trial_body: trialBody } = row;
  const trial = trialNo === null || trialBody === null ? undefined : { policyNo: trialNo, body: trialBody };
  return { policyNo, listsVersion, body: row.body ?? undefined, trial };
}

export async function selectBody(sql: Sql, policyNo: number): Promise<string | undefined> {
  const [row] = await sql<{ body: string }[]>`select body from policies where policy_no = ${policyNo}`;
  return row?.body;
}

/** Newest first, of those numbered up to `upTo`. */
export async function selectPolicies(
  sql: Sql,
  limit: number,
  upTo: number = Number.MAX_SAFE_INTEGER,
): Promise<StoredPolicy[]> {
  const rows = await sql<PolicyRow[]>`
    select policy_no, sha256, author, reason, days, applied_at, canary_group, canary_until, began_at, confirm_seconds,
      confirm_by, confirmed_at, approved, settled_at, rolled_back_at, rolled_back_by, rolled_back_because, undone_at
    from policies where policy_no <= ${upTo} order by policy_no desc limit ${limit}`;
  return rows.map(policyFromRow);
}

/** Those with something left to do, and the trial. */
export async function selectUnfinished(sql: Sql): Promise<StoredPolicy[]> {
  const rows = await sql<PolicyRow[]>`
    select policy_no, sha256, author, reason, days, applied_at, canary_group, canary_until, began_at, confirm_seconds,
      confirm_by, confirmed_at, approved, settled_at, rolled_back_at, rolled_back_by, rolled_back_because, undone_at
    from policies
    where rolled_back_at is null and (began_at is null or settled_at is null or confirm_by is not null and confirmed_at is null)
      or rolled_back_at is not null and undone_at is null
    order by policy_no desc`;
  return rows.map(policyFromRow);
}

export async function insertPolicy(sql: Sql, policy: NewPolicy): Promise<number> {
  const [row] = await sql<{ policy_no: number }[]>`
    insert into policies (body, sha256, author, reason, days, confirm_seconds, approved, canary_group, canary_until)
    values (${policy.body}, sha256(convert_to(${policy.body}, 'UTF8')), ${policy.author}, ${policy.reason},
      ${policy.days}, ${policy.confirmSeconds ?? null}, ${policy.isApproved}, ${policy.canary?.group ?? null},
      clock_timestamp() + ${policy.canary?.seconds ?? null}::int * interval '1 second')
    returning policy_no`;
  if (row === undefined) throw new Error("internal error: an insert gave no row");
  return row.policy_no;
}

/** Under the ledger's lock: from here on everything is decided by it. False = it has begun or ended meanwhile. */
export async function beginPolicy(sql: Sql, policyNo: number): Promise<boolean> {
  const rows = await sql`
    update policies set began_at = clock_timestamp(),
      confirm_by = case when confirmed_at is null then clock_timestamp() + confirm_seconds * interval '1 second' end
    where policy_no = ${policyNo} and began_at is null and rolled_back_at is null
    returning policy_no`;
  if (rows.length === 0) return false;
  await putInForce(sql, policyNo);
  return true;
}

/** What ends for a reason that holds only so long: whoever ends it may have looked a while ago. */
export type OnlyWhile = "on-trial" | "unconfirmed";

export interface Ended {
  readonly inForceNo: number;
  /** Absent = it was on trial to the end. */
  readonly beganAtMs: UnixMs | undefined;
}

/** Under the ledger's lock. Gives the policy that is in force from here on; undefined = it was over already. */
export async function endPolicy(
  sql: Sql,
  policyNo: number,
  { by, because }: { by: string; because: string },
  onlyWhile?: OnlyWhile,
): Promise<Ended | undefined> {
  const [ended] = await sql<{ began_at: Date | null }[]>`
    update policies set rolled_back_at = clock_timestamp(), rolled_back_by = ${by}, rolled_back_because = ${because}
    where policy_no = ${policyNo} and rolled_back_at is null
      and (began_at is null or ${onlyWhile !== "on-trial"})
      and (confirmed_at is null or ${onlyWhile !== "unconfirmed"})
    returning began_at`;
  if (ended === undefined) return undefined;
  const [row] = await sql<{ policy_no: number }[]>`
    select coalesce(max(policy_no), 0) as policy_no from policies where began_at is not null and rolled_back_at is null`;
  const inForceNo = row?.policy_no ?? 0;
  await putInForce(sql, inForceNo);
  return { inForceNo, beganAtMs: optional(ended.began_at) };
}

export async function notifyPolicies(sql: Sql): Promise<void> {
  await sql`select pg_notify(${POLICY_CHANNEL}, '')`;
}

async function putInForce(sql: Sql, policyNo: number): Promise<void> {
  await sql`update ledger set policy_no = ${policyNo}`;
  await sql`select pg_notify(${POLICY_CHANNEL}, ${String(policyNo)})`;
}

/** False = it has gone back, or is confirmed already. */
export async function confirmPolicy(sql: Sql, policyNo: number): Promise<boolean> {
  const rows = await sql`
    update policies set confirmed_at = clock_timestamp(), canary_until = least(canary_until, clock_timestamp())
    where policy_no = ${policyNo} and confirmed_at is null and rolled_back_at is null
    returning policy_no`;
  return rows.length === 1;
}

/** Until the transaction ends nobody else adds or alters one; readers go on. */
export async function lockPolicies(sql: Sql): Promise<void> {
  await sql`lock table policies in share row exclusive mode`;
}

export async function markSettled(sql: Sql, policyNo: number): Promise<void> {
  await sql`
    update policies set settled_at = coalesce(settled_at, clock_timestamp()), leased_until = null, leased_by = null
    where policy_no = ${policyNo}`;
}

export async function markUndone(sql: Sql, policyNo: number): Promise<void> {
  await sql`
    update policies set undone_at = coalesce(undone_at, clock_timestamp()), leased_until = null, leased_by = null
    where policy_no = ${policyNo}`;
}

export async function isOnTrial(sql: Sql, policyNo: number): Promise<boolean> {
  const rows = await sql`
    select from policies where policy_no = ${policyNo} and began_at is null and rolled_back_at is null`;
  return rows.length === 1;
}

/** False = another replica works on it. Taken again, it lasts longer. */
export async function takeLease(sql: Sql, policyNo: number, by: string, seconds: number): Promise<boolean> {
  const rows = await sql`
    update policies set leased_by = ${by}, leased_until = clock_timestamp() + ${seconds}::int * interval '1 second'
    where policy_no = ${policyNo} and (leased_by = ${by} or leased_until is null or leased_until < clock_timestamp())
    returning policy_no`;
  return rows.length === 1;
}

export async function giveLeaseBack(sql: Sql, policyNo: number, by: string): Promise<void> {
  await sql`
    update policies set leased_by = null, leased_until = null where policy_no = ${policyNo} and leased_by = ${by}`;
}

/** Agents of the group that have told what their kernels hold of the trial. */
export async function countOnTrial(sql: Sql, group: string): Promise<number> {
  const [row] = await sql<{ agents: number }[]>`
    select count(*)::int as agents from agent_lists join agents using (agent_no)
    where list_no = ${LIST_TRIAL} and agent_group = ${group}`;
  return row?.agents ?? 0;
}

function policyFromRow(row: PolicyRow): StoredPolicy {
  const { canary_group: group, canary_until: until, rolled_back_at: rolledBackAt } = row;
  return {
    policyNo: row.policy_no,
    sha256: row.sha256.toString("hex"),
    author: row.author,
    reason: row.reason,
    days: row.days,
    appliedAtMs: momentOf(row.applied_at),
    canary: group === null || until === null ? undefined : { group, untilMs: momentOf(until) },
    beganAtMs: optional(row.began_at),
    confirmSeconds: row.confirm_seconds ?? undefined,
    confirmByMs: optional(row.confirm_by),
    confirmedAtMs: optional(row.confirmed_at),
    isApproved: row.approved,
    isSettled: row.settled_at !== null,
    rolledBack:
      rolledBackAt === null
        ? undefined
        : { atMs: momentOf(rolledBackAt), by: row.rolled_back_by ?? "", because: row.rolled_back_because ?? "" },
    isUndone: row.undone_at !== null,
  };
}

function momentOf(at: Date): UnixMs {
  return unixMs(at.getTime());
}

function optional(at: Date | null): UnixMs | undefined {
  return at === null ? undefined : momentOf(at);
}
