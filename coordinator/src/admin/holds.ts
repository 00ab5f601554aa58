/** Changes that a guardrail stopped, and an operator's word on them. */
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import type { Hold, ResolveHoldRequest, ResolveHoldResponse } from "@fleetban/proto/wire/admin";
import { resolveFeedHold } from "../feeds/resolve-hold.ts";
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
  resolution: string | null;
}

const MAX_HOLDS = 500;

export async function holds(sql: Sql, resolved: boolean): Promise<Hold[]> {
  const rows = await sql<HoldRow[]>`
    select hold_no, subject, subject_no, prefix, h.reason, opened_at, resolved_at, resolution,
      case subject when 'feed' then (select name from feeds where feed_no = subject_no)
        when 'claim' then (select name from agents where agent_no = subject_no) end as subject_name
    from holds h where ${resolved} or resolved_at is null order by hold_no desc limit ${MAX_HOLDS}`;
  return rows.map(holdFromRow);
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
  const done =
    hold.subject === "feed"
      ? await resolveFeed(parts, caller, request)
      : await resolveOther(parts, caller, { hold, approve: request.approve });
  const act = `holds ${request.approve ? "approve" : "reject"}`;
  await parts.store.transaction((sql) =>
    recordAct(sql, caller, { act, subject: `${hold.hold_no} ${hold.subject}`, reason, after: done }),
  );
  parts.metrics.auditRecord();
  const after = (await holds(parts.store.sql, true)).find(({ holdNo }) => holdNo === request.holdNo);
  return { hold: after, done };
}

async function openHold(sql: Sql, holdNo: number): Promise<HoldRow> {
  const [row] = await sql<HoldRow[]>`
    select hold_no, subject, subject_no, null as subject_name, prefix, reason, opened_at, resolved_at, resolution
    from holds where hold_no = ${holdNo} and resolved_at is null`;
  if (row !== undefined) return row;
  throw new AdminError("not-found", `hold ${holdNo}: is not open`, {
    hint: "`fleetban holds list` shows those that are",
  });
}

async function resolveFeed(parts: AdminParts, caller: Caller, request: ResolveHoldRequest): Promise<string[]> {
  const answer = { holdNo: request.holdNo, approve: request.approve, by: caller.name };
  const resolved = await resolveFeedHold(parts.feeds, answer, caller.signal);
  switch (resolved.kind) {
    case "approved":
      return [`feed ${resolved.feed}: ${resolved.entries} entries are in force, ${resolved.changed} listings changed`];
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
  { hold, approve }: { hold: HoldRow; approve: boolean },
): Promise<string[]> {
  const done: string[] = [];
  if (hold.subject === "claim" && approve) done.push(await approveClaim(parts, hold));
  await parts.store.sql`
    update holds set resolved_at = clock_timestamp(), resolved_by = ${caller.name},
      resolution = ${approve ? "approved" : "rejected"}
    where hold_no = ${hold.hold_no} and resolved_at is null`;
  return [...done, `hold ${hold.hold_no} is ${approve ? "approved" : "rejected"}`];
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
  };
}
