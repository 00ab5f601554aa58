/**
 * `POST /report`: what is taken, what is a duplicate, what is refused.
 *
 * What says the same of the same address within a day is merged with what was said before: no new report.
 */
import { isIP } from "node:net";
import { type Answer, type ApiError, duplicateError, invalid, jsonAnswer } from "./answer.ts";
import type { Report, State } from "./state.ts";

const DUPLICATE_MS = 15 * 60_000;
const MERGED_MS = 24 * 3600_000;
const COMMENT_MAX = 1_024;
const CATEGORY_MAX = 23;
const CATEGORIES_MAX = 30;
/** Their own test hook: reporting it is always one too many. */
const ALWAYS_LIMITED = "127.0.0.2";
const PRIVATE =
  /^(0|10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])|22[4-9]|2[3-5]\d)\.|^(::1?$|f[cde]|fe[89ab])/i;

export function takeReport(form: URLSearchParams, key: string, state: State, nowMs: number): Answer | ApiError {
  const address = form.get("ip") ?? "";
  const wish = { address, categories: form.get("categories") ?? "", comment: form.get("comment") ?? "" };
  const timestamp = form.get("timestamp");
  const refusal = refusalOf({ ...wish, timestamp }, key, state, nowMs);
  if (refusal?.kind === "duplicate") return duplicateError(address);
  if (refusal !== undefined) return invalid(refusal.parameter, refusal.detail);
  storeReport({ ...wish, timestamp }, key, state, nowMs);
  const score = Math.min(100, 26 * reportsOf(state, address).length);
  return jsonAnswer({ data: { ipAddress: address, abuseConfidenceScore: score } });
}

export interface ReportWish {
  readonly address: string;
  /** As sent: numbers with commas. */
  readonly categories: string;
  readonly comment: string;
  readonly timestamp: string | null;
}

export type Refusal =
  | { readonly kind: "duplicate" }
  | { readonly kind: "invalid"; readonly parameter: string; readonly detail: string };

export function refusalOf(wish: ReportWish, key: string, state: State, nowMs: number): Refusal | undefined {
  const { address, timestamp } = wish;
  if (address === ALWAYS_LIMITED) return { kind: "duplicate" };
  if (!isReportable(address)) {
    const wanted = "must be a valid IPv4 or IPv6 address (e.g. 8.8.8.8 or 2001:4860:4860::8888)";
    return { kind: "invalid", parameter: "ip", detail: `The ip ${wanted}.` };
  }
  if (categoriesOf(wish.categories) === undefined) {
    return { kind: "invalid", parameter: "categories", detail: "The categories are invalid." };
  }
  if (timestamp !== null && !(Date.parse(timestamp) <= nowMs)) {
    const detail = "The timestamp must be a date before or equal to now.";
    return { kind: "invalid", parameter: "timestamp", detail };
  }
  const isDuplicate = state.reports.some(
    (report) => report.key === key && report.address === address && nowMs - report.atMs < DUPLICATE_MS,
  );
  return isDuplicate ? { kind: "duplicate" } : undefined;
}

/** Of a wish that was not refused. */
export function storeReport(wish: ReportWish, key: string, state: State, nowMs: number): void {
  const report: Report = {
    atMs: nowMs,
    key,
    address: wish.address,
    categories: categoriesOf(wish.categories) ?? [],
    comment: wish.comment.slice(0, COMMENT_MAX),
    reportedAt: wish.timestamp ?? new Date(nowMs).toISOString(),
  };
  const isSaid = state.reports.some((said) => nowMs - said.atMs < MERGED_MS && saysTheSame(said, report));
  if (!isSaid) state.reports.push(report);
}

export function reportsOf(state: State, address: string): readonly Report[] {
  return state.reports.filter((report) => report.address === address);
}

export function isReportable(address: string): boolean {
  return isIP(address) !== 0 && !PRIVATE.test(address);
}

function saysTheSame(one: Report, other: Report): boolean {
  const isSame = one.key === other.key && one.address === other.address && one.comment === other.comment;
  return isSame && one.categories.join() === other.categories.join();
}

function categoriesOf(text: string): readonly number[] | undefined {
  const words = text.split(",");
  if (words.length > CATEGORIES_MAX || !words.every((word) => /^\d{1,2}$/.test(word))) return undefined;
  const categories = words.map(Number);
  return categories.every((category) => category >= 1 && category <= CATEGORY_MAX) ? categories : undefined;
}
