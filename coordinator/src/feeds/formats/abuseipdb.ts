/** AbuseIPDB's blacklist in its two forms: JSON with scores and countries, or one address a line. */
import { isSingle } from "@fleetban/proto/model/prefix";
import { linesOf } from "./lines.ts";
import { entryRow } from "./prefix-text.ts";
import type { Row, Rows } from "./row.ts";

/** `countryCode` and `lastReportedAt` may be null, absent or odd. */
export function* abuseIpdbJsonRows(text: string): Rows {
  const body = parsed(text);
  const meta = isRecord(body) ? body.meta : undefined;
  const made = madeAtMs(isRecord(meta) ? meta.generatedAt : undefined);
  if (made === undefined) return yield { kind: "refused", reason: "meta.generatedAt is missing or no time" };
  const data = isRecord(body) ? body.data : undefined;
  if (!Array.isArray(data)) return yield { kind: "refused", reason: "data is missing or no array" };
  yield { kind: "made", atMs: made };
  for (const [index, item] of data.entries()) yield itemRow(index + 1, item);
}

/** The time is in a header of the answer. */
export function* abuseIpdbPlainRows(text: string, generatedAt: string | undefined): Rows {
  const made = madeAtMs(generatedAt);
  if (made === undefined) return yield { kind: "refused", reason: "the header X-Generated-At is missing or no time" };
  yield { kind: "made", atMs: made };
  for (const { line, text: whole } of linesOf(text)) yield single(entryRow(line, whole));
}

function itemRow(line: number, item: unknown): Row {
  const bad = (problem: string): Row => ({ kind: "bad", line, text: JSON.stringify(item) ?? "", problem });
  if (!isRecord(item) || typeof item.ipAddress !== "string") return bad("has no ipAddress");
  const { abuseConfidenceScore: confidence, countryCode } = item;
  if (typeof confidence !== "number" || !(confidence >= 0 && confidence <= 100)) {
    return bad(`abuseConfidenceScore ${JSON.stringify(confidence)}: must be 0 to 100`);
  }
  const country = typeof countryCode === "string" ? { country: countryCode } : {};
  return single(entryRow(line, item.ipAddress, { confidence: Math.floor(confidence), ...country }));
}

/** They name addresses only: a network is a sign of something else. */
function single(row: Row): Row {
  if (row.kind !== "prefixes") return row;
  const [prefix, ...more] = row.prefixes;
  const isAddress = prefix !== undefined && more.length === 0 && isSingle(prefix);
  return isAddress ? row : { kind: "bad", line: row.line, text: row.text, problem: "is no single address" };
}

function madeAtMs(text: unknown): number | undefined {
  if (typeof text !== "string" || !/^\d{4}-\d{2}-\d{2}T/.test(text)) return undefined;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** Text that is no JSON is as good as a body without a list. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
