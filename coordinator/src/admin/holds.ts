/** Changes that a guardrail stopped, and an operator's word on them. */
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import type {
  Hold,
  ResolveHoldRequest,
  ResolveHoldResponse,
  ShowHoldRequest,
  ShowHoldResponse,
} from "@fleetban/proto/wire/admin";
import { selectOpenFeedHold } from "../feeds/hold-queries.ts";
import { type HoldResolved, resolveFeedHold } from "../feeds/resolve-hold.ts";
import { feedHoldDetails, listHoldDetails } from "../guardrails/hold-details.ts";
import { answerListHold, type HeldChange } from "../guardrails/list-holds.ts";
import type { Sql } from "../store/sql.ts";
import { checkReason } from "./arguments.ts";
import { recordAct } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

interface HoldRow {
  hold_no: number;
  subject: string;
  subject_no: number | null;
  subject_name: string | null;
  prefix: string | null;
  reason: string;
  opened_at: Date;
  resolved_at: Date | null;
  resolved_by: string | null;
  resolution: string | null;
}

const MAX_HOLDS = 500;

export async function holds(sql: Sql, resolved: boolean): Promise<Hold[]> {
  const rows = await sql<HoldRow[]>`
    select ${columns(sql)} from holds h
    where ${resolved} or resolved_at is null order by hold_no desc limit ${MAX_HOLDS}`;
  return rows.map(holdFromRow);
}

/** Open or not; an open one with what an operator decides by. */
export async function showHold({ store: { sql } }: AdminParts, { holdNo }: ShowHoldRequest): Promise<ShowHoldResponse> {
  const [row] = await sql<HoldRow[]>`select ${columns(sql)} from holds h where hold_no = ${holdNo}`;
  if (row === undefined) {
    throw new AdminError("not-found", `hold ${holdNo}: does not exist`, {
      hint: "see: fleetban holds list --resolved",
    });
  }
  return { hold: { ...holdFromRow(row), details: await detailsOf(sql, row) } };
}

async function detailsOf(sql: Sql, row: HoldRow): Promise<string[]> {
  if (row.subject === "list") {
    const [kept] = await sql<{ body: HeldChange | null }[]>`select body from holds where hold_no = ${row.hold_no}`;
    return kept?.body == null ? [] : [...listHoldDetails(kept.body), ...(row.resolved_at === null ? LIST_WAYS : [])];
  }
  if (row.subject !== "feed" || row.resolved_at !== null) return [];
  const hold = await selectOpenFeedHold(sql, row.hold_no);
  if (hold === undefined) return [];
  const wanted = hold.entries.map(({ prefix }) => prefix);
  return [...feedHoldDetails(await namedPrefixes(sql, hold.feedNo), wanted), ...FEED_WAYS];
}

async function namedPrefixes(sql: Sql, feedNo: number): Promise<Set<Prefix>> {
  const rows = await sql<{ prefix: string }[]>`select prefix::text from feed_prefixes where feed_no = ${feedNo}`;
  return new Set(rows.map(({ prefix }) => parsePrefix(prefix)));
}

const FEED_WAYS = [
  "approve: the held list takes the place of the one in force, at once and at every agent",
  "reject: the one in force stays; the next list is judged anew",
];
const LIST_WAYS = [
  "approve: the change goes on within a minute, and so does any for a day that takes no more away and covers no more",
  "reject: it is not asked again for a week; listings that were to go end by their own time",
];

function columns(sql: Sql) {
  return sql`hold_no, subject, subject_no, prefix, h.reason, opened_at, resolved_at, resolved_by, resolution,
      case subject when 'feed' then (select name from feeds where feed_no = subject_no)
        when 'list' then (select name from lists where list_no = subject_no)
        when 'claim' then (select name from agents where agent_no = subject_no) end as subject_name`;
}

export async function openHolds(sql: Sql): Promise<number> {
  const [row] = await sql<{ open: number }[]>`select count(*)::int as open from holds where resolved_at is null`;
  return row?.open ?? 0;
}

export async function resolveHold(
  parts: AdminParts,
  caller: Caller,
  request: ResolveHoldRequest,
): Promise<ResolveHoldResponse> {
  const reason = checkReason(request.reason);
  const hold = await openHold(parts.store.sql, request.holdNo);
  const act = `holds ${request.approve ? "approve" : "reject"}`;
  const subject = `hold ${hold.hold_no}, ${holdFromRow(hold).subject}`;
  const record = (sql: Sql) => recordAct(sql, caller, { act, subject, reason });
  const done =
    hold.subject === "feed"
      ? await resolveFeed(parts, caller, { ...request, record })
      : await resolveOther(parts, caller, { hold, approve: request.approve, record });
  parts.metrics.auditRecord();
  const after = (await holds(parts.store.sql, true)).find(({ holdNo }) => holdNo === request.holdNo);
  return { hold: after, done };
}

async function openHold(sql: Sql, holdNo: number): Promise<HoldRow> {
  const [row] = await sql<HoldRow[]>`
    select ${columns(sql)} from holds h where hold_no = ${holdNo} and resolved_at is null`;
  if (row !== undefined) return row;
  throw new AdminError("not-found", `hold ${holdNo}: is not open`, {
    hint: "`fleetban holds list` shows those that are",
  });
}

/** The hold of a feed outlives its being enforced. */
function approvedText({ entries, mode }: Extract<HoldResolved, { kind: "approved" }>): string {
  return mode === "enforce" ? `${entries} entries are in force` : `${entries} entries are taken, none listed (${mode})`;
}

type RecordAnswer = (sql: Sql) => Promise<unknown>;

async function resolveFeed(
  parts: AdminParts,
  caller: Caller,
  request: ResolveHoldRequest & { record: RecordAnswer },
): Promise<string[]> {
  const answer = { holdNo: request.holdNo, approve: request.approve, by: caller.name, record: request.record };
  const resolved = await resolveFeedHold(parts.feeds, answer, caller.signal);
  switch (resolved.kind) {
    case "approved":
      return [`feed ${resolved.feed}: ${approvedText(resolved)}, ${resolved.changed} listings changed`];
    case "rejected":
      return [`feed ${resolved.feed}: its old list stays in force, the held one is dropped`];
    case "busy":
      throw new AdminError("not-possible-now", `feed ${resolved.feed}: is being fetched just now`, {
        hint: "try again in a minute",
      });
    case "not-open":
      throw new AdminError("not-found", `hold ${request.holdNo}: is not open any more`);
  }
}

/** A claim that is approved protects its address from now on; any other hold is ended by its approval. */
async function resolveOther(
  parts: AdminParts,
  caller: Caller,
  { hold, approve, record }: { hold: HoldRow; approve: boolean; record: RecordAnswer },
): Promise<string[]> {
  const done: string[] = [];
  if (hold.subject === "list") return [await resolveList(parts, caller, { hold, approve, record })];
  if (hold.subject === "claim" && approve) done.push(await approveClaim(parts, hold));
  await parts.store.transaction(async (sql) => {
    await sql`
      update holds set resolved_at = clock_timestamp(), resolved_by = ${caller.name},
        resolution = ${approve ? "approved" : "rejected"}
      where hold_no = ${hold.hold_no} and resolved_at is null`;
    await record(sql);
  });
  return [...done, `hold ${hold.hold_no} is ${approve ? "approved" : "rejected"}`];
}

/** Feeds whose list it is are looked at in the next turn, as after a change of their mode. */
async function resolveList(
  { store }: AdminParts,
  caller: Caller,
  { hold, approve, record }: { hold: HoldRow; approve: boolean; record: RecordAnswer },
): Promise<string> {
  await store.transaction(async (sql) => {
    await answerListHold(sql, hold.hold_no, caller.name, approve ? "approved" : "rejected");
    await record(sql);
    if (!approve) return;
    await sql`
      update feeds set leased_until = clock_timestamp() - interval '1 second'
      where list_no = ${hold.subject_no} and leased_until is null and mode <> 'off'`;
  });
  const name = hold.subject_name ?? String(hold.subject_no);
  return approve
    ? `list ${name}: the change goes on within a minute`
    : `list ${name}: stays as it is, and is not asked about again for a week`;
}

async function approveClaim({ ledger }: AdminParts, hold: HoldRow): Promise<string> {
  if (hold.prefix === null || hold.subject_no === null) throw new Error("internal error: a claim without an address");
  const address: Prefix = parsePrefix(hold.prefix);
  const agentNo = hold.subject_no;
  const present = ledger.protectedAddresses().filter((known) => known.agentNo === agentNo);
  await ledger.setAgentAddresses(agentNo, [...present, { address, origin: "approved" }]);
  return `${address} is protected from now on`;
}

function holdFromRow(row: HoldRow): Hold {
  const what = row.prefix === null ? (row.subject_name ?? "") : parsePrefix(row.prefix);
  const whose = row.prefix !== null && row.subject_name !== null ? ` of ${row.subject_name}` : "";
  return {
    holdNo: row.hold_no,
    subject: `${row.subject} ${what}${whose}`.trim(),
    reason: row.reason,
    openedAtMs: row.opened_at.getTime(),
    resolvedAtMs: row.resolved_at?.getTime() ?? 0,
    resolution: row.resolution ?? "",
    resolvedBy: row.resolved_by ?? "",
    details: [],
  };
}
