/**
 * Carries out an operator's act: checks it, commits it with its audit record, and waits until agents have it if asked.
 *
 * `--dry-run` and a wide act without `--yes` run the same plan in a transaction that is rolled back.
 */
import type { ListNo } from "@fleetban/proto/model/listing";
import { covers, type Prefix } from "@fleetban/proto/model/prefix";
import { msFromSeconds, secondsFromMs, type UnixSeconds } from "@fleetban/proto/model/time";
import { isOpenEnded } from "@fleetban/proto/model/until";
import type {
  AllowRequest,
  BanRequest,
  ChangeResponse,
  RemoveActRequest,
  UnbanRequest,
} from "@fleetban/proto/wire/admin";
import type { Sql } from "../store/sql.ts";
import { inPack, liftRest, type PlannedAct, planAllow, planBan, planRemoval, planUnban } from "./act-effects.ts";
import { type ActKind, activeAct, activeActs, endAct, type StoredAct } from "./act-queries.ts";
import { checkReason, checkSeconds, checkWait } from "./arguments.ts";
import { recordAct } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";
import { protectedAddresses } from "./protected-addresses.ts";
import { pardonedPrefix, parseSubject, refuseProtected } from "./subject.ts";

/** A plan that an operator asked to see only. */
class RolledBack extends Error {}

interface Change {
  readonly prefix: Prefix;
  readonly verb: string;
  readonly reason: string;
  readonly isPlanOnly: boolean;
  readonly needsYes: boolean;
  readonly approved: boolean;
  readonly waitMs: number;
  readonly plan: (sql: Sql, now: UnixSeconds) => Promise<PlannedAct>;
}

const PARDON_SECONDS = 86_400;
/** With `--wait` an operator sits there; an agent that has the change can say so at once. */
const REPORT_WITHIN_MS = 50;

export async function ban(parts: AdminParts, caller: Caller, request: BanRequest): Promise<ChangeResponse> {
  const { prefix, isWide } = parseSubject("ban", request.prefix);
  const addresses = await protectedAddresses(parts);
  refuseProtected(prefix, addresses);
  const wish = {
    prefix,
    seconds: checkSeconds(request.seconds),
    reason: checkReason(request.reason),
    author: caller.name,
  };
  const holes = addresses.filter(({ address }) => covers(prefix, address));
  return carryOut(parts, caller, {
    ...changeOf(request, prefix, isWide),
    verb: "ban",
    plan: async (sql, now) => {
      const planned = await planBan(parts.ledger, sql, wish, now);
      const spared = holes.map(({ address, owner }) => `${address} (${owner}) is let through all the same`);
      return { ...planned, done: [...planned.done, ...spared] };
    },
  });
}

export async function unban(parts: AdminParts, caller: Caller, request: UnbanRequest): Promise<ChangeResponse> {
  const { prefix: named, isWide } = parseSubject("unban", request.prefix);
  const prefix = pardonedPrefix(named, request.exact);
  const seconds = checkSeconds(request.seconds) || PARDON_SECONDS;
  const wish = { prefix, seconds, reason: checkReason(request.reason), author: caller.name, local: request.local };
  return carryOut(parts, caller, {
    ...changeOf(request, prefix, isWide),
    verb: "unban",
    plan: (sql, now) => planUnban(parts.ledger, sql, wish, now),
  });
}

export async function allow(parts: AdminParts, caller: Caller, request: AllowRequest): Promise<ChangeResponse> {
  const { prefix, isWide } = parseSubject("allow", request.prefix);
  const wish = {
    prefix,
    seconds: checkSeconds(request.seconds),
    reason: checkReason(request.reason),
    author: caller.name,
  };
  return carryOut(parts, caller, {
    ...changeOf(request, prefix, isWide),
    verb: "allow",
    plan: (sql, now) => planAllow(parts.ledger, sql, wish, now),
  });
}

export async function removeAct(
  parts: AdminParts,
  caller: Caller,
  kind: ActKind,
  request: RemoveActRequest,
): Promise<ChangeResponse> {
  const act = await findAct(parts.store.sql, kind, request.what.trim());
  return carryOut(parts, caller, {
    prefix: act.prefix,
    verb: `${NOUN[kind]} remove`,
    reason: checkReason(request.reason),
    isPlanOnly: false,
    needsYes: false,
    approved: false,
    waitMs: checkWait(request.waitMs),
    plan: async (sql, now) => {
      const ended = await endAct(sql, kind, act.actNo);
      if (ended === undefined) throw notThere(kind, request.what); // somebody was quicker
      return planRemoval(parts.ledger, sql, { kind, act: ended }, now);
    },
  });
}

const NOUN: Record<ActKind, string> = { ban: "bans", pardon: "pardons", allowed: "allowlist" };

/** By its number, or by its prefix. */
async function findAct(sql: Sql, kind: ActKind, what: string): Promise<StoredAct> {
  const isNumber = /^\d{1,15}$/.test(what);
  const found = isNumber
    ? [await activeAct(sql, kind, Number(what))]
    : await activeActs(sql, kind, parseSubject("unban", what).prefix, "equal");
  const act = found.find((one) => one?.pack === undefined) ?? found[0];
  if (act === undefined) throw notThere(kind, what);
  if (act.pack !== undefined) throw inPack(act.prefix, act.prefix, act.pack);
  return act;
}

function notThere(kind: ActKind, what: string): AdminError {
  const name = kind === "allowed" ? "allowlist entry" : kind;
  const hint = `\`fleetban ${NOUN[kind]} list\` shows those that are`;
  return new AdminError("not-found", `${name} ${what}: is not in force`, { hint });
}

function changeOf(
  request: Pick<BanRequest, "reason" | "waitMs" | "dryRun" | "yes">,
  prefix: Prefix,
  isWide: boolean,
): Omit<Change, "verb" | "plan"> {
  const needsYes = isWide && !request.yes;
  return {
    prefix,
    reason: checkReason(request.reason),
    isPlanOnly: request.dryRun || needsYes,
    needsYes: needsYes && !request.dryRun,
    approved: request.yes,
    waitMs: checkWait(request.waitMs),
  };
}

async function carryOut(parts: AdminParts, caller: Caller, change: Change): Promise<ChangeResponse> {
  if (change.isPlanOnly) return answerOf(change, await planOnly(parts, change));
  let planned: PlannedAct | undefined;
  const { revision } = await parts.ledger.write(
    { kind: "operator" },
    async (sql, now) => {
      planned = await change.plan(sql, now);
      const { actNo, until } = planned;
      const after = { act_no: actNo, until, done: planned.done };
      await recordAct(sql, caller, { act: change.verb, subject: change.prefix, reason: change.reason, after });
      return planned.changes;
    },
    { approved: change.approved, reportWithinMs: change.waitMs > 0 ? REPORT_WITHIN_MS : 0 },
  );
  if (planned === undefined) throw new Error("internal error: the ledger wrote without a plan");
  if (planned.hasRest === true) await liftRest(parts.ledger, change.prefix, change.approved);
  parts.metrics.auditRecord();
  const { verb, prefix } = change;
  parts.log.info("admin.act_done", { act: verb, prefix, actor: caller.name, revision });
  return { ...answerOf(change, planned), revision: revision ?? 0, ...(await waited(parts, caller, change, revision)) };
}

async function planOnly({ store }: AdminParts, { plan }: Change): Promise<PlannedAct> {
  let planned: PlannedAct | undefined;
  try {
    await store.transaction(async (sql) => {
      const [row] = await sql<{ now: Date }[]>`select clock_timestamp() as now`;
      planned = await plan(sql, secondsFromMs(row?.now.getTime() ?? 0));
      throw new RolledBack();
    });
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
  }
  if (planned === undefined) throw new Error("internal error: nothing was planned");
  return planned;
}

async function waited(parts: AdminParts, { signal }: Caller, { waitMs }: Change, revision: number | undefined) {
  const { ledger, fleet, clock } = parts;
  if (waitMs === 0 || revision === undefined) return {};
  const begunMs = clock.monotonicMs();
  const at = revision as Parameters<typeof ledger.catchUp>[0];
  await ledger.catchUp(at);
  const lists = ledger.lists().filter((head) => head.revision >= at);
  const wish = { lists: lists.map(({ list }): ListNo => list.list), revision: at, timeoutMs: waitMs, signal };
  const { applied, missing } = await fleet.waitApplied(wish);
  return {
    agentsApplied: applied,
    agentsMissing: [...missing],
    waitedMs: Math.round(clock.monotonicMs() - begunMs),
  };
}

function answerOf({ prefix, needsYes, isPlanOnly }: Change, { actNo, until, done }: PlannedAct): ChangeResponse {
  return {
    done: [...done],
    prefix,
    revision: 0,
    untilMs: isOpenEnded(until) ? 0 : msFromSeconds(until),
    needsYes,
    agentsApplied: 0,
    agentsMissing: [],
    actNo: isPlanOnly ? 0 : actNo,
    waitedMs: 0,
  };
}
