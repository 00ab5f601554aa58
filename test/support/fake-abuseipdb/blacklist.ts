/**
 * The list of `/blacklist`: which entries a key gets for which parameters, and how they are written.
 *
 * A free key that asks for another confidence or for countries gets the plain list at confidence 100, status 200, no error.
 */
import { isIPv4 } from "node:net";
import { type Answer, type ApiError, invalid, jsonAnswer } from "./answer.ts";
import type { Plan } from "./plans.ts";

export interface BlacklistEntry {
  readonly ipAddress: string;
  readonly countryCode: string | null;
  readonly abuseConfidenceScore: number;
  readonly lastReportedAt: string;
}

export interface Blacklist {
  readonly generatedAtMs: number;
  readonly entries: readonly BlacklistEntry[];
}

export interface BlacklistQuery {
  readonly confidenceMinimum: number;
  readonly limit: number;
  readonly plaintext: boolean;
  readonly onlyCountries: readonly string[];
  readonly exceptCountries: readonly string[];
  readonly ipVersion: 4 | 6 | undefined;
}

const COUNTRY = /^[A-Z]{2}$/;

export function readBlacklistQuery(query: URLSearchParams, accept: string, plan: Plan): BlacklistQuery | ApiError {
  const confidenceMinimum = integerOf(query.get("confidenceMinimum") ?? "100");
  if (confidenceMinimum === undefined || confidenceMinimum < 25 || confidenceMinimum > 100) {
    return invalid("confidenceMinimum", "The confidence minimum must be between 25 and 100.");
  }
  const limit = integerOf(query.get("limit") ?? String(Math.min(10_000, plan.blacklistMax)));
  if (limit === undefined || limit < 1) return invalid("limit", "The limit must be at least 1.");
  const ipVersion = query.get("ipVersion");
  if (ipVersion !== null && ipVersion !== "4" && ipVersion !== "6") {
    return invalid("ipVersion", "The selected ip version is invalid.");
  }
  const onlyCountries = countriesOf(query.get("onlyCountries"));
  const exceptCountries = countriesOf(query.get("exceptCountries"));
  if (onlyCountries === undefined) return invalid("onlyCountries", "The only countries format is invalid.");
  if (exceptCountries === undefined) return invalid("exceptCountries", "The except countries format is invalid.");
  return {
    confidenceMinimum: plan.choosesConfidence ? confidenceMinimum : 100,
    limit: Math.min(limit, plan.blacklistMax),
    plaintext: query.has("plaintext") || accept.includes("text/plain"),
    onlyCountries: plan.choosesConfidence ? onlyCountries : [],
    exceptCountries: plan.choosesConfidence ? exceptCountries : [],
    ipVersion: ipVersion === null ? undefined : ipVersion === "4" ? 4 : 6,
  };
}

/** Score descending, then the latest report first. */
export function selectEntries(entries: readonly BlacklistEntry[], query: BlacklistQuery): readonly BlacklistEntry[] {
  return entries
    .filter((entry) => entry.abuseConfidenceScore >= query.confidenceMinimum)
    .filter((entry) => query.ipVersion === undefined || isIPv4(entry.ipAddress) === (query.ipVersion === 4))
    .filter(({ countryCode }) => query.onlyCountries.length === 0 || query.onlyCountries.includes(countryCode ?? ""))
    .filter(({ countryCode }) => !query.exceptCountries.includes(countryCode ?? ""))
    .toSorted(
      (one, other) =>
        other.abuseConfidenceScore - one.abuseConfidenceScore ||
        (other.lastReportedAt < one.lastReportedAt ? -1 : other.lastReportedAt > one.lastReportedAt ? 1 : 0),
    )
    .slice(0, query.limit);
}

export function blacklistAnswer(list: Blacklist, plaintext: boolean, headers: Record<string, string>): Answer {
  const generatedAt = new Date(list.generatedAtMs).toISOString().replace(/\.\d{3}Z$/, "+00:00");
  if (!plaintext) return jsonAnswer({ meta: { generatedAt }, data: list.entries }, headers);
  const body = list.entries.map((entry) => entry.ipAddress).join("\n");
  const plain = { "content-type": "text/plain; charset=UTF-8", "x-generated-at": generatedAt };
  return { status: 200, headers: { ...headers, ...plain }, body };
}

function integerOf(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function countriesOf(text: string | null): readonly string[] | undefined {
  if (text === null || text === "") return [];
  const countries = text.split(",");
  return countries.every((country) => COUNTRY.test(country)) ? countries : undefined;
}
