/**
 * One commit of sightings, of as many batches as have gathered (keeps invariant 1).
 *
 * Order and locks: agents (advisory, sorted), spools (sorted) → facts → insert sightings → the ledger's row → evidence →
 * decide → strikes, offenders, listings, changes, revision → commit. Rows at or below a spool's acknowledged number are
 * skipped, and that number moves in the same transaction: a commit of unknown outcome is simply tried again.
 *
 * Statements that don't wait for each other's answers are sent together, and the commit with the last of them. Where few
 * sightings wait for their acknowledgement, what a decision takes is read before it is known which of them count, under
 * the ledger's row that is then locked before the insert: two round trips.
 */
import type { Revision, Seq } from "@fleetban/proto/model/listing";
import type { Sighting } from "@fleetban/proto/model/sighting";
import type { Policy } from "../policy/policy.ts";
import type { Sql } from "../store/sql.ts";
import { type Applied, type ApplyParts, applyChanges } from "./apply-changes.ts";
import { selectListings } from "./change-queries.ts";
import { decideBatch, freshEvidence, listFor, networksAround } from "./conclude.ts";
import { holdPrefix, lockLedger, saveRemembered } from "./evidence-queries.ts";
import type { CommittedSightings, SightingBatch } from "./ledger.ts";
import type { Quotas } from "./quota.ts";
import { readEvidence } from "./read-evidence.ts";
import { isRefused } from "./sighting-codes.ts";
import {
  forgetSpools,
  insertSpools,
  lockAgents,
  lockSpools,
  type Spool,
  type SpoolKey,
  type SpoolProgress,
  selectFacts,
  storeSightings,
} from "./sighting-queries.ts";
import { STALE_EPOCH } from "./stale-epoch.ts";
import { STALE_POLICY } from "./stale-policy.ts";
import { distinctSubjects, type Subject } from "./subject.ts";
import { isCandidate, type NewSighting, offendersOf, type Triaged, triage } from "./triage.ts";

/** A batch that waits for its commit. */
export interface PendingBatch {
  readonly batch: SightingBatch;
  /** By number: drawn once, however often the commit is tried. */
  readonly isOverQuota: Map<number, boolean>;
  /** Of the last try, for the acknowledgement. */
  outcomes: readonly Triaged[];
}

export interface CommitParts extends ApplyParts {
  /** Of the digest key. */
  readonly epoch: string;
  readonly policy: Policy;
  readonly quotas: Quotas;
  readonly monotonicMs: number;
  /** The ledger's clock has jumped: store, decide nothing. */
  readonly isHeld: boolean;
  readonly onFailed: (prefix: string, error: unknown) => void;
}

export interface CommittedGroup extends Applied {
  readonly acked: ReadonlyMap<PendingBatch, Seq>;
}

const NOTHING: Applied = { revision: undefined, lists: [], changed: 0, refused: [] };
/** Up to so many addresses are read of before it is known which count: a flood of worthless ones is not worth it. */
const READ_AHEAD_ADDRESSES = 16;

/** `onLast`: no statement follows those that are sent. */
export async function commitGroup(
  sql: Sql,
  parts: CommitParts,
  group: readonly PendingBatch[],
  onLast: () => void,
): Promise<CommittedGroup> {
  const keys = [...new Map(group.map((pending) => [keyOf(pending).text, keyOf(pending)])).values()];
  const asked = group.flatMap((pending) => candidates(pending, parts.policy));
  const [, known, facts, early] = await Promise.all([
    lockAgents(
      sql,
      keys.map(({ agentNo }) => agentNo),
    ),
    lockSpools(sql, keys),
    selectFacts(sql, asked),
    asked.length <= READ_AHEAD_ADDRESSES && !parts.isHeld
      ? readUnderLock(sql, parts, askedSubjects(asked, parts))
      : undefined,
  ]);
  const spools = await withNew(sql, known, keys);
  const { sightings, progress, acked, rows } = newSightings(group, spools, parts);
  if (sightings.length === 0) return { ...NOTHING, acked };
  const triaged = triage(sightings, facts, parts.policy, parts.isHeld);
  for (const [pending, { from, to }] of rows) pending.outcomes = triaged.slice(from, to);
  const fresh = freshEvidence(triaged, parts.policy, parts.lists);
  const stored = storeSightings(sql, triaged, progress);
  stored.catch(() => undefined); // awaited below, unless something else fails first
  if (fresh.length === 0 || parts.isHeld) {
    onLast();
    await stored;
    return { ...NOTHING, acked };
  }
  const { ledger, evidence, present } = early ?? (await readUnderLock(sql, parts, fresh));
  if (ledger.epoch !== parts.epoch) throw STALE_EPOCH;
  if (ledger.policyNo !== parts.policy.policyNo) throw STALE_POLICY;
  const decided = decideBatch(fresh, evidence, parts.policy, ledger.now, ledger.firstStrikeNo);
  for (const { prefix, error } of decided.failed) {
    parts.onFailed(prefix, error);
    await holdPrefix(sql, prefix, String(error));
  }
  const saved = saveRemembered(sql, decided, parts.policy.policyNo, ledger.revision + 1);
  const changes = { changes: decided.changes, cause: { kind: "sightings" } as const, present, onLast };
  const [applied] = await Promise.all([applyChanges(sql, parts, changes), saved, stored]);
  return { ...applied, acked };
}

/** What a decision takes, of these and as of now: nobody else commits before this transaction ends. */
async function readUnderLock(sql: Sql, { policy }: CommitParts, subjects: readonly Subject[]) {
  const [ledger, evidence, present] = await Promise.all([
    lockLedger(sql, subjects.length),
    readEvidence(sql, subjects, policy),
    selectListings(sql, [...subjects, ...networksAround(subjects, policy)]),
  ]);
  return { ledger, evidence, present };
}

/** All that these may come to be counted under. */
function askedSubjects(asked: readonly Pick<NewSighting, "sighting">[], { policy, lists }: CommitParts): Subject[] {
  return distinctSubjects(
    asked.flatMap(({ sighting }) => {
      const list = listFor(sighting.jail, policy, lists);
      return offendersOf(sighting).map((prefix) => ({ prefix, list }));
    }),
  );
}

/** For the acknowledgement of one batch. */
export function answerTo(pending: PendingBatch, seq: Seq, revision: Revision | undefined): CommittedSightings {
  const count = (claim: (one: Triaged) => boolean) => pending.outcomes.filter(claim).length;
  return {
    seq,
    overQuota: count(({ outcome }) => outcome === "over-quota"),
    refused: count(({ outcome }) => isRefused(outcome)),
    revision,
  };
}

async function withNew(sql: Sql, known: readonly Spool[], keys: readonly SpoolKey[]): Promise<Map<string, Spool>> {
  if (known.length === keys.length) return bySpool(known);
  await insertSpools(sql, keys);
  const spools = await lockSpools(sql, keys);
  await forgetSpools(sql, spools);
  return bySpool(spools);
}

function bySpool(spools: readonly Spool[]): Map<string, Spool> {
  return new Map(spools.map((spool) => [spoolText(spool), spool]));
}

/** Those that were acknowledged before, too: the question is sent before that is known. */
function candidates({ batch }: PendingBatch, policy: Policy) {
  const asked = batch.sightings.map((sighting) => ({
    sighting,
    agentNo: batch.agentNo,
    ...timeOf(batch, sighting, policy),
  }));
  return asked.filter(isCandidate);
}

function keyOf({ batch }: PendingBatch): SpoolKey & { text: string } {
  const incarnation = Buffer.from(batch.incarnation).toString("hex");
  return { agentNo: batch.agentNo, incarnation, text: spoolText({ agentNo: batch.agentNo, incarnation }) };
}

function spoolText({ agentNo, incarnation }: SpoolKey): string {
  return `${agentNo} ${incarnation}`;
}

/** What lies beyond each spool's acknowledged number, batch by batch as they came; `rows` tells which are whose. */
function newSightings(group: readonly PendingBatch[], spools: ReadonlyMap<string, Spool>, parts: CommitParts) {
  const sightings: NewSighting[] = [];
  const progressBySpool = new Map<number, SpoolProgress>();
  const acked = new Map<PendingBatch, Seq>();
  const rows = new Map<PendingBatch, { from: number; to: number }>();
  for (const pending of group) {
    const spool = spools.get(keyOf(pending).text);
    if (spool === undefined) throw new Error("internal error: a spool that was locked is not there");
    const { batch } = pending;
    const before = progressBySpool.get(spool.spoolNo) ?? {
      spoolNo: spool.spoolNo,
      ackedSeq: spool.ackedSeq,
      ackedAct: "",
      gaps: 0,
    };
    const skipped = Math.max(0, before.ackedSeq + 1 - batch.firstSeq);
    const rest = batch.sightings.slice(skipped);
    drawQuota(pending, skipped, parts);
    for (const [at, sighting] of rest.entries()) {
      sightings.push(newSighting(pending, spool.spoolNo, batch.firstSeq + skipped + at, sighting, parts.policy));
    }
    rows.set(pending, { from: sightings.length - rest.length, to: sightings.length });
    const last = rest.at(-1);
    const ackedSeq = last === undefined ? before.ackedSeq : batch.firstSeq + batch.sightings.length - 1;
    acked.set(pending, ackedSeq as Seq);
    if (last === undefined) continue;
    const gaps = before.gaps + Math.max(0, batch.firstSeq - before.ackedSeq - 1);
    progressBySpool.set(spool.spoolNo, { spoolNo: spool.spoolNo, ackedSeq, ackedAct: last.act, gaps });
  }
  return { sightings, progress: [...progressBySpool.values()], acked, rows };
}

function drawQuota({ batch, isOverQuota }: PendingBatch, skipped: number, { quotas, monotonicMs }: CommitParts): void {
  const undrawn = batch.sightings
    .map((_, at) => batch.firstSeq + at)
    .slice(skipped)
    .filter((seq) => !isOverQuota.has(seq));
  const granted = quotas.take(batch.agentNo, undrawn.length, monotonicMs);
  for (const [at, seq] of undrawn.entries()) isOverQuota.set(seq, at >= granted);
}

function newSighting(
  { batch, isOverQuota }: PendingBatch,
  spoolNo: number,
  seq: number,
  sighting: Sighting,
  policy: Policy,
): NewSighting {
  const { receivedAtMs, agentNo } = batch;
  const time = timeOf(batch, sighting, policy);
  return { sighting, spoolNo, seq, agentNo, receivedAtMs, ...time, isOverQuota: isOverQuota.get(seq) ?? false };
}

/** Its time is that of the ledger's clock: as long before it was received as it was, on the agent's, before it was sent. */
function timeOf({ receivedAtMs, sentAtMs }: SightingBatch, { bannedAtMs }: Sighting, policy: Policy) {
  const oldestMs = receivedAtMs - policy.retentionSeconds * 1000;
  const atMs = receivedAtMs - (sentAtMs - bannedAtMs);
  return { sightedAtMs: Math.min(receivedAtMs, Math.max(oldestMs, atMs)), isTooOld: atMs < oldestMs };
}
