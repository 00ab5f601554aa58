/**
 * Brings the allowlist to what the packs hold that the policy chooses (keeps invariant 5).
 *
 * A pack's prefixes are rows of the allowlist, marked with its name: the policy, feeds, `explain` and agents' kernels honor
 * them like an operator's own, as holes inside wider listings too. Written in slices, each a commit that first makes the
 * exempt entries and then takes off what stands under them; one that was interrupted is found again by comparing. Of
 * several replicas with packs of different age the newer wins.
 */
import type { Log } from "@fleetban/kit/log";
import { piecesOf } from "@fleetban/kit/pieces";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { exemptChanges } from "../admin/act-effects.ts";
import { recordAct } from "../admin/audit.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import type { Pack, Packs } from "./pack.ts";
import {
  deletePack,
  deniedInside,
  endBansInside,
  endPackPrefixes,
  insertPackPrefixes,
  type PackInForce,
  packPrefixes,
  packsInForce,
  savePack,
} from "./pack-queries.ts";

export interface PacksParts {
  readonly store: Pick<Store, "sql" | "transaction">;
  readonly ledger: Pick<Ledger, "write" | "decideAnew">;
  /** Those that there are, read anew. */
  readonly readPacks: () => Promise<Packs>;
  /** Names in the policy in force. */
  readonly chosen: () => readonly string[];
  readonly log: Log;
}

export interface PackSynced {
  readonly pack: string;
  readonly added: number;
  readonly removed: number;
}

const PREFIXES_PER_SLICE = 200;
/** A commit takes 2,000 changes; what is left stands under the exempt entry until its turn comes. */
const LIFTED_PER_SLICE = 1_500;

export async function syncPacks(parts: PacksParts, signal: AbortSignal): Promise<readonly PackSynced[]> {
  const { store, log } = parts;
  const packs = await parts.readPacks();
  const inForce = await packsInForce(store.sql);
  const chosen = parts.chosen();
  const synced: PackSynced[] = [];
  for (const name of chosen) {
    const pack = packs.get(name);
    const before = inForce.find((one) => one.name === name);
    if (pack === undefined) {
      log.error("guardrails.pack_missing", { pack: name, known: [...packs.keys()], stays: before !== undefined });
      continue;
    }
    if (isCurrent(pack, before)) continue;
    synced.push(await bringTo(parts, name, pack, before, signal));
  }
  for (const before of inForce) {
    if (!chosen.includes(before.name)) synced.push(await bringTo(parts, before.name, undefined, before, signal));
  }
  for (const one of synced) log.info("guardrails.pack_applied", { ...one });
  return synced;
}

/** For warnables: names in the policy of which nothing is in force. */
export async function missingPacks(sql: Sql, wanted: readonly string[]): Promise<string[]> {
  if (wanted.length === 0) return [];
  const inForce = new Set((await packsInForce(sql)).map(({ name }) => name));
  return wanted.filter((name) => !inForce.has(name));
}

function isCurrent(pack: Pack, before: PackInForce | undefined): boolean {
  if (before === undefined) return false;
  return before.sha256 === pack.sha256 ? before.date === pack.date : before.date > pack.date;
}

/** `pack` absent = the policy does not choose it any more. */
async function bringTo(
  parts: PacksParts,
  name: string,
  pack: Pack | undefined,
  before: PackInForce | undefined,
  signal: AbortSignal,
): Promise<PackSynced> {
  const present = await packPrefixes(parts.store.sql, name);
  const wanted = new Set(pack?.prefixes ?? []);
  const added = [...wanted].filter((prefix) => !present.has(prefix));
  const removed = [...present].filter((prefix) => !wanted.has(prefix));
  if (pack !== undefined) {
    for (const slice of piecesOf(added, PREFIXES_PER_SLICE)) await allowSlice(parts, pack, slice, signal);
  }
  for (const slice of piecesOf(removed, PREFIXES_PER_SLICE)) await endSlice(parts, name, slice, signal);
  const counts = { added: added.length, removed: removed.length };
  await parts.store.transaction(async (sql) => {
    if (pack === undefined) await deletePack(sql, name);
    else await savePack(sql, pack);
    const was = before === undefined ? undefined : { date: before.date, prefixes: before.prefixes };
    const after =
      pack === undefined ? counts : { ...counts, date: pack.date, sha256: pack.sha256, source: pack.source };
    const act = pack === undefined ? "packs end" : "packs apply";
    await recordAct(sql, { name: "policy", role: "policy" }, { act, subject: name, before: was, after });
  });
  return { pack: name, ...counts };
}

async function allowSlice(parts: PacksParts, pack: Pack, slice: readonly Prefix[], signal: AbortSignal): Promise<void> {
  for (let lifted = LIFTED_PER_SLICE; lifted === LIFTED_PER_SLICE; ) {
    signal.throwIfAborted();
    await parts.ledger.write({ kind: "policy" }, async (sql) => {
      await insertPackPrefixes(sql, pack, slice);
      await endBansInside(sql, slice);
      const denied = await deniedInside(sql, slice, LIFTED_PER_SLICE);
      lifted = denied.length;
      return [...(await exemptChanges(sql, slice)), ...denied.map((listed) => ({ ...listed, to: undefined }))];
    });
  }
}

/** What an operator banned, or sightings still list, is decided anew for the prefixes themselves. */
async function endSlice(parts: PacksParts, name: string, slice: readonly Prefix[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await parts.ledger.write({ kind: "policy" }, async (sql, now) => {
    await endPackPrefixes(sql, name, slice);
    return [...(await exemptChanges(sql, slice)), ...(await parts.ledger.decideAnew(sql, slice, now))];
  });
}
