/**
 * What a ban, a pardon or an allowed prefix makes of the lists; each function is the plan of one commit.
 *
 * It says in sentences what it does, so that `--dry-run` is the same plan rolled back. A pardon sticks because it is an
 * entry on `exempt` that ends by its own `until` only; the listings under it are removed as well, and do not come back
 * when it ends, because the policy counts nothing that was seen before.
 */
import { ALLOWED, LIST_EXEMPT, PARDONED, PARDONED_LOCAL, type Rank } from "@fleetban/proto/model/listing";
import { isSingle, type Prefix } from "@fleetban/proto/model/prefix";
import { msFromSeconds, type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { isOpenEnded, laterUntil, OPEN_ENDED } from "@fleetban/proto/model/until";
import type { Ledger, ListChange, Reason } from "../ledger/ledger.ts";
import type { Sql } from "../store/sql.ts";
import {
  type ActKind,
  activeActs,
  activeActsOf,
  deniedWithin,
  endActs,
  insertAllowed,
  insertBan,
  insertPardon,
  type NewAct,
  type StoredAct,
} from "./act-queries.ts";
import { AdminError } from "./errors.ts";

export interface PlannedAct {
  readonly actNo: number;
  readonly until: UnixSeconds;
  /** What it does, one sentence each. */
  readonly done: readonly string[];
  readonly changes: readonly ListChange[];
  /** More is listed in it than a commit takes: `liftRest` goes on. */
  readonly hasRest?: boolean;
}

export interface ActWish {
  readonly prefix: Prefix;
  /** 0 = open-ended. */
  readonly seconds: number;
  readonly reason: string;
  readonly author: string;
  readonly local?: boolean;
}

/** A commit takes at most 2,000 changes; what is left stands under the exempt entry until its turn comes. */
const MAX_REMOVED = 1_900;

export async function planBan(ledger: Ledger, sql: Sql, wish: ActWish, now: UnixSeconds): Promise<PlannedAct> {
  const { prefix } = wish;
  await refuseExempt(sql, prefix);
  const pardons = await endActs(sql, "pardon", prefix, "equal");
  const replaced = await endActs(sql, "ban", prefix, "equal");
  const act = actOf(wish, now);
  const actNo = await insertBan(sql, act);
  const changes = [...(await ledger.decideAnew(sql, [prefix], now))];
  if (pardons.length > 0) changes.unshift(await exemptChange(sql, prefix));
  return {
    actNo,
    until: act.until,
    changes,
    done: [
      `ban ${actNo}: ${prefix} is listed on fleet ${untilText(act.until)}`,
      ...replaced.map((ban) => `ban ${ban.actNo} of ${prefix} is replaced by it`),
      ...pardons.map((pardon) => `pardon ${pardon.actNo} of ${prefix} is ended`),
    ],
  };
}

export async function planUnban(ledger: Ledger, sql: Sql, wish: ActWish, now: UnixSeconds): Promise<PlannedAct> {
  const act = actOf(wish, now);
  const replaced = await endActs(sql, "pardon", wish.prefix, "equal");
  const actNo = await insertPardon(sql, act);
  const lifted = await lift(ledger, sql, wish.prefix);
  const banned = act.local === true ? "before now or bans until then" : "before now";
  return {
    actNo,
    until: act.until,
    hasRest: lifted.hasRest,
    changes: [await exemptChange(sql, wish.prefix), ...lifted.changes],
    done: [
      `pardon ${actNo}: ${wish.prefix} is let through ${untilText(act.until)}, whatever feeds and agents say`,
      ...replaced.map((pardon) => `pardon ${pardon.actNo} of ${wish.prefix} is replaced by it`),
      ...lifted.done,
      `every server's fail2ban lifts what it banned of it ${banned}`,
    ],
  };
}

export async function planAllow(ledger: Ledger, sql: Sql, wish: ActWish, now: UnixSeconds): Promise<PlannedAct> {
  const act = actOf(wish, now);
  const replaced = await endActs(sql, "allowed", wish.prefix, "equal");
  const actNo = await insertAllowed(sql, act);
  const lifted = await lift(ledger, sql, wish.prefix);
  return {
    actNo,
    until: act.until,
    hasRest: lifted.hasRest,
    changes: [await exemptChange(sql, wish.prefix), ...lifted.changes],
    done: [
      `allowlist ${actNo}: ${wish.prefix} is never listed ${untilText(act.until)}`,
      ...replaced.map((allowed) => `allowlist ${allowed.actNo} of ${wish.prefix} is replaced by it`),
      ...lifted.done,
    ],
  };
}

/** What follows when an operator takes an act back; the act has been ended before. */
export async function planRemoval(
  ledger: Ledger,
  sql: Sql,
  ended: { kind: ActKind; act: StoredAct },
  now: UnixSeconds,
): Promise<PlannedAct> {
  const { kind, act } = ended;
  const changes = [...(await ledger.decideAnew(sql, [act.prefix], now))];
  if (kind !== "ban") changes.unshift(await exemptChange(sql, act.prefix));
  const name = kind === "allowed" ? "allowlist" : kind;
  return { actNo: act.actNo, until: act.until, changes, done: [`${name} ${act.actNo} of ${act.prefix} is ended`] };
}

export async function exemptChange(sql: Sql, prefix: Prefix): Promise<ListChange> {
  const [change] = await exemptChanges(sql, [prefix]);
  return change ?? { list: LIST_EXEMPT, prefix, to: undefined };
}

/** The entry that each prefix's own pardons and allowlist rows make on `exempt`; holes are the ledger's affair. */
export async function exemptChanges(sql: Sql, prefixes: readonly Prefix[]): Promise<ListChange[]> {
  const allowed = Map.groupBy(await activeActsOf(sql, "allowed", prefixes), (act) => act.prefix);
  const pardons = Map.groupBy(await activeActsOf(sql, "pardon", prefixes), (act) => act.prefix);
  return prefixes.map((prefix) => exemptEntry(prefix, allowed.get(prefix) ?? [], pardons.get(prefix) ?? []));
}

function exemptEntry(prefix: Prefix, allowed: readonly StoredAct[], pardons: readonly StoredAct[]): ListChange {
  const all = [...allowed, ...pardons];
  if (all.length === 0) return { list: LIST_EXEMPT, prefix, to: undefined };
  const until = all.map((act) => act.until).reduce(laterUntil);
  const begunAtMs = Math.max(...all.map((act) => act.begunAtMs));
  const reasons: Reason[] = [
    ...allowed.map((act) => ({ kind: "allowed" as const, key: String(act.actNo) })),
    ...pardons.map((act) => ({ kind: "pardon" as const, key: String(act.actNo) })),
  ];
  const begun = unixSeconds(Math.ceil(begunAtMs / 1_000)); // what fail2ban bans within this second is lifted too
  return { list: LIST_EXEMPT, prefix, to: { until, rank: exemptRank(allowed, pardons), begun, reasons } };
}

function exemptRank(allowed: readonly StoredAct[], pardons: readonly StoredAct[]): Rank {
  if (pardons.some((pardon) => pardon.local)) return PARDONED_LOCAL;
  return allowed.length > 0 ? ALLOWED : PARDONED;
}

/** Takes the prefix, and what is in it, off all deny lists, for good. */
async function lift(ledger: Ledger, sql: Sql, prefix: Prefix) {
  const bans = await endActs(sql, "ban", prefix, "within");
  const denied = await deniedWithin(sql, prefix, MAX_REMOVED + 1);
  const removed = denied.slice(0, MAX_REMOVED);
  const around = ledger.covering(prefix).filter((placed) => placed.listing.prefix !== prefix);
  const wider = around.filter(({ list }) =>
    ledger.lists().some((head) => head.list.list === list && head.list.effect === "deny"),
  );
  return {
    hasRest: denied.length > MAX_REMOVED,
    changes: removed.map(({ list, prefix: listed }) => ({ list, prefix: listed, to: undefined })),
    done: [
      ...bans.map((ban) => `ban ${ban.actNo} of ${ban.prefix} is ended`),
      ...countsByList(removed).map(([list, count]) => `${countText(count, prefix)} taken off ${list}`),
      ...(denied.length > MAX_REMOVED
        ? ["the rest of what is listed in it follows in slices, and is let through at once"]
        : []),
      ...wider.map(({ listing }) => `${listing.prefix} stays listed, with a hole for ${prefix}`),
      ...(removed.length + wider.length + bans.length === 0 ? [`${prefix} was not listed: nothing to take off`] : []),
    ],
  };

  function countText(count: number, of: Prefix): string {
    if (isSingle(of)) return `${of} is`;
    return count === 1 ? `1 listing in ${of} is` : `${count} listings in ${of} are`;
  }
}

/** Slice by slice, each a commit that gives the ledger's row back. */
export async function liftRest(ledger: Pick<Ledger, "write">, prefix: Prefix, approved: boolean): Promise<void> {
  for (;;) {
    const { changed } = await ledger.write(
      { kind: "operator" },
      async (sql) =>
        (await deniedWithin(sql, prefix, MAX_REMOVED)).map(({ list, prefix: listed }) => ({
          ...{ list, prefix: listed },
          to: undefined,
        })),
      { approved },
    );
    if (changed < MAX_REMOVED) return;
  }
}

/** An exempt entry is stronger than any ban, so such a ban would look done and do nothing. */
async function refuseExempt(sql: Sql, prefix: Prefix): Promise<void> {
  const [allowed] = await activeActs(sql, "allowed", prefix, "around");
  if (allowed?.pack !== undefined) throw inPack(prefix, allowed.prefix, allowed.pack);
  if (allowed !== undefined) {
    throw new AdminError(
      "not-possible-now",
      `prefix ${prefix}: is on the allowlist (${allowed.prefix}, number ${allowed.actNo})`,
      {
        hint: `take it off first: fleetban allowlist remove ${allowed.actNo}`,
      },
    );
  }
  const pardon = (await activeActs(sql, "pardon", prefix, "around")).find((act) => act.prefix !== prefix);
  if (pardon !== undefined) {
    throw new AdminError(
      "not-possible-now",
      `prefix ${prefix}: is pardoned with ${pardon.prefix} (number ${pardon.actNo})`,
      {
        hint: `end that pardon first: fleetban pardons remove ${pardon.actNo}`,
      },
    );
  }
}

/** What is in a pack is the policy's word, not an operator's act. */
export function inPack(prefix: Prefix, by: Prefix, pack: string): AdminError {
  const where = by === prefix ? "" : ` with ${by}`;
  return new AdminError("not-possible-now", `prefix ${prefix}: is in never-ban pack ${pack}${where}`, {
    hint: `take ${pack} out of \`packs\` in the policy first; see: fleetban packs show ${pack}`,
  });
}

function countsByList(removed: readonly { name: string }[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { name } of removed) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts];
}

function actOf(wish: ActWish, now: UnixSeconds): NewAct & { until: UnixSeconds } {
  const until = wish.seconds === 0 ? OPEN_ENDED : unixSeconds(now + wish.seconds);
  const { prefix, reason, author, local } = wish;
  return { prefix, reason, author, until, ...(local === undefined ? {} : { local }) };
}

export function untilText(until: UnixSeconds): string {
  if (isOpenEnded(until)) return "until an operator ends it";
  return `until ${new Date(msFromSeconds(until)).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
