/** `POST /report`: what is taken, what is a duplicate, what is refused. */
import { isIP } from "node:net";
import { type Answer, type ApiError, duplicateError, invalid, jsonAnswer } from "./answer.ts";
import type { State } from "./state.ts";

const DUPLICATE_MS = 15 * 60_000;
const COMMENT_MAX = 1_024;
const CATEGORY_MAX = 23;
const CATEGORIES_MAX = 30;
/** Their own test hook: reporting it is always one too many. */
const ALWAYS_LIMITED = "127.0.0.2";
const PRIVATE =
  /^(0|10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])|22[4-9]|2[3-5]\d)\.|^(::1?$|f[cde]|fe[89ab])/i;

export function takeReport(form: URLSearchParams, key: string, state: State, nowMs: number): Answer | ApiError {
  const address = form.get("ip") ?? "";
  if (address === ALWAYS_LIMITED) return duplicateError(address);
  if (isIP(address) === 0 || PRIVATE.test(address)) {
    const wanted = "must be a valid IPv4 or IPv6 address (e.g. 8.8.8.8 or 2001:4860:4860::8888)";
    return invalid("ip", `The ip ${wanted}.`);
  }
  const categories = categoriesOf(form.get("categories") ?? "");
  if (categories === undefined) return invalid("categories", "The categories are invalid.");
  const timestamp = form.get("timestamp");
  if (timestamp !== null && !(Date.parse(timestamp) <= nowMs)) {
    return invalid("timestamp", "The timestamp must be a date before or equal to now.");
  }
  const earlier = state.reports.find(
    (report) => report.key === key && report.address === address && nowMs - report.atMs < DUPLICATE_MS,
  );
  if (earlier !== undefined) return duplicateError(address);
  state.reports.push({
    atMs: nowMs,
    key,
    address,
    categories,
    comment: (form.get("comment") ?? "").slice(0, COMMENT_MAX),
  });
  const reports = state.reports.filter((report) => report.address === address).length;
  return jsonAnswer({ data: { ipAddress: address, abuseConfidenceScore: Math.min(100, 26 * reports) } });
}

function categoriesOf(text: string): readonly number[] | undefined {
  const words = text.split(",");
  if (words.length > CATEGORIES_MAX || !words.every((word) => /^\d{1,2}$/.test(word))) return undefined;
  const categories = words.map(Number);
  return categories.every((category) => category >= 1 && category <= CATEGORY_MAX) ? categories : undefined;
}
