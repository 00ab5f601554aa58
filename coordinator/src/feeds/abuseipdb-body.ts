/**
 * Reads the body of AbuseIPDB's `/blacklist`: a list that is wholly believable, or the reason why it is not.
 *
 * Judged by what came, never by what was asked: a free key that asks for confidence 75 gets the list at 100, with status 200.
 * A few bad entries are left out and counted; many mean that this is not the list.
 */
import { isSingle, type Prefix, tryParsePrefix } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import type { FeedEntry, FeedList, RefusedKind } from "./feed.ts";

export interface BodyRules {
  readonly confidenceMinimum: number;
  readonly maxEntries: number;
  readonly now: UnixMs;
}

export type BodyReading =
  | { readonly kind: "list"; readonly list: Omit<FeedList, "sha256"> }
  | { readonly kind: "refused"; readonly reason: string };

/** Their list is made once a day; one and a half is a feed that has stopped. */
const OLDEST_MS = 36 * 3600_000;
/** A list from so far ahead says that a clock or the file is broken. */
const AHEAD_MS = 24 * 3600_000;
const BAD_RATIO_MAX = 0.01;
/** In a short list a handful of bad entries is no sign yet. */
const BAD_ALLOWED = 5;

export function readBlacklistBody(text: string, rules: BodyRules): BodyReading {
  if (/^\s*</.test(text)) return refused("the body is a page for people, not JSON");
  const body = parseJson(text);
  const generatedAt = generatedAtOf(body);
  if (generatedAt === undefined) return refused("meta.generatedAt is missing or no time");
  if (generatedAt < rules.now - OLDEST_MS)
    return refused(`the list was generated ${ageOf(generatedAt, rules)} hours ago`);
  if (generatedAt > rules.now + AHEAD_MS)
    return refused(`the list was generated ${-ageOf(generatedAt, rules)} hours ahead`);
  const rows = isRecord(body) ? body.data : undefined;
  if (!Array.isArray(rows)) return refused("data is missing or no array");
  if (rows.length > rules.maxEntries) return refused(`${rows.length} entries, asked for ${rules.maxEntries} at most`);
  return readRows(rows, unixMs(generatedAt), rules);
}

function readRows(rows: readonly unknown[], generatedAt: UnixMs, rules: BodyRules): BodyReading {
  const confidenceByPrefix = new Map<Prefix, number>();
  const counts: Record<RefusedKind, number> = {
    "not-an-address": 0,
    "special-purpose": 0,
    "below-confidence": 0,
    duplicate: 0,
  };
  for (const row of rows) {
    const read = readRow(row, rules);
    if (typeof read === "string") {
      counts[read] += 1;
      continue;
    }
    const earlier = confidenceByPrefix.get(read.prefix);
    if (earlier !== undefined) counts.duplicate += 1;
    confidenceByPrefix.set(read.prefix, Math.max(earlier ?? 0, read.confidence));
  }
  const bad = counts["not-an-address"] + counts["special-purpose"];
  if (bad > BAD_ALLOWED && bad > rows.length * BAD_RATIO_MAX)
    return refused(`${bad} of ${rows.length} entries are bad`);
  if (confidenceByPrefix.size === 0) return refused(`no usable entry among ${rows.length}`);
  const entries = [...confidenceByPrefix].map(([prefix, confidence]) => ({ prefix, confidence }));
  return { kind: "list", list: { generatedAt, entries, refused: counts } };
}

/** `countryCode` and `lastReportedAt` are not needed: null, absent or odd ones refuse nothing. */
function readRow(row: unknown, { confidenceMinimum }: BodyRules): FeedEntry | RefusedKind {
  if (!isRecord(row) || typeof row.ipAddress !== "string") return "not-an-address";
  const prefix = tryParsePrefix(row.ipAddress);
  const confidence = row.abuseConfidenceScore;
  if (prefix === undefined || !isSingle(prefix)) return "not-an-address";
  if (typeof confidence !== "number" || !(confidence >= 0 && confidence <= 100)) return "not-an-address";
  if (specialPurposeOf(prefix) !== undefined) return "special-purpose";
  return confidence < confidenceMinimum ? "below-confidence" : { prefix, confidence: Math.floor(confidence) };
}

function generatedAtOf(body: unknown): number | undefined {
  const meta = isRecord(body) ? body.meta : undefined;
  const text = isRecord(meta) ? meta.generatedAt : undefined;
  if (typeof text !== "string" || !/^\d{4}-\d{2}-\d{2}T/.test(text)) return undefined;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : atMs;
}

function ageOf(generatedAt: number, { now }: BodyRules): number {
  return Math.round((now - generatedAt) / 3600_000);
}

/** Text that is no JSON is as good as a body without a list. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function refused(reason: string): BodyReading {
  return { kind: "refused", reason };
}
