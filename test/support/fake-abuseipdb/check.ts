/** `GET /check`: what is known of one address; with the flag `verbose` each report too, newest first. */
import { type Answer, type ApiError, invalid, jsonAnswer } from "./answer.ts";
import { isReportable, reportsOf } from "./report.ts";
import type { State } from "./state.ts";

const DAY_MS = 24 * 3600_000;

export function answerCheck(query: URLSearchParams, state: State, nowMs: number): Answer | ApiError {
  const address = query.get("ipAddress") ?? "";
  if (!isReportable(address)) {
    const wanted = "must be a valid IPv4 or IPv6 address (e.g. 8.8.8.8 or 2001:4860:4860::8888)";
    return invalid("ipAddress", `The ip address ${wanted}.`);
  }
  const days = Number(query.get("maxAgeInDays") ?? 30);
  if (!(days >= 1 && days <= 365)) {
    return invalid("maxAgeInDays", "The max age in days must be between 1 and 365.");
  }
  const reports = reportsOf(state, address)
    .filter((report) => nowMs - Date.parse(report.reportedAt) < days * DAY_MS)
    .toSorted((one, other) => Date.parse(other.reportedAt) - Date.parse(one.reportedAt));
  const verbose = reports.map(({ reportedAt, comment, categories, key }) => ({
    reportedAt: new Date(reportedAt).toISOString().replace(/\.\d{3}Z$/, "+00:00"),
    comment,
    categories,
    reporterId: key.length,
    reporterCountryCode: "DE",
    reporterCountryName: "Germany",
  }));
  return jsonAnswer({
    data: {
      ipAddress: address,
      isPublic: true,
      ipVersion: address.includes(":") ? 6 : 4,
      isWhitelisted: false,
      abuseConfidenceScore: Math.min(100, 26 * reports.length),
      countryCode: null,
      usageType: null,
      isp: "",
      domain: null,
      hostnames: [],
      isTor: false,
      totalReports: reports.length,
      numDistinctUsers: new Set(reports.map(({ key }) => key)).size,
      lastReportedAt: verbose[0]?.reportedAt ?? null,
      ...(query.has("verbose") ? { reports: verbose } : {}),
    },
  });
}
