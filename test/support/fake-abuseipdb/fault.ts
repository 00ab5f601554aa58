/**
 * What can go wrong at AbuseIPDB or on the way: each fault bends one blacklist answer.
 *
 * A fault that changes the list works on its entries, one that breaks the answer works on its bytes, and the rest is done by
 * the server with the socket (silence, reset, drip).
 */
import { type Answer, htmlAnswer } from "./answer.ts";
import type { Blacklist, BlacklistEntry } from "./blacklist.ts";

export type Fault =
  | { readonly kind: "status"; readonly status: 500 | 502 | 503 }
  | { readonly kind: "html" | "no-entries" | "truncated-json" | "truncated-gzip" | "short-body" | "reset" }
  | { readonly kind: "three-entries" | "duplicate" | "null-country" | "not-an-address" | "text-plain" }
  /** Says nothing at all for so long, then answers. */
  | { readonly kind: "silence"; readonly silenceMs: number }
  /** Sends the head, then one byte at a time. */
  | { readonly kind: "drip"; readonly everyMs: number }
  /** Never stops sending. */
  | { readonly kind: "endless" }
  | { readonly kind: "old"; readonly ageMs: number }
  | { readonly kind: "entry"; readonly address: string }
  | { readonly kind: "skewed-reset"; readonly skewMs: number };

/** Bends one answer of the endpoints that take and tell reports. */
export type ReportFault =
  /** It is taken, and the connection ends before the answer. */
  | { readonly kind: "lost-answer" }
  /** Nothing is taken. */
  | { readonly kind: "reset" }
  | { readonly kind: "status"; readonly status: 403 | 429 | 500 | 502 | 503 };

/** A fault for the next `times` answers; without it for all until cleared. */
export interface PlannedFault {
  readonly fault: Fault;
  readonly times?: number;
}

export function bendList(list: Blacklist, fault: Fault | undefined): Blacklist {
  const [first] = list.entries;
  switch (fault?.kind) {
    case "no-entries":
      return { ...list, entries: [] };
    case "three-entries":
      return { ...list, entries: list.entries.slice(0, 3) };
    case "duplicate":
      return { ...list, entries: first === undefined ? [] : [first, ...list.entries] };
    case "null-country":
      return { ...list, entries: list.entries.map((entry) => ({ ...entry, countryCode: null })) };
    case "not-an-address":
      return withEntry(list, "176.221.42.3254.174.140.223");
    case "entry":
      return withEntry(list, fault.address);
    case "old":
      return { ...list, generatedAtMs: list.generatedAtMs - fault.ageMs };
    default:
      return list;
  }
}

export function bendAnswer(answer: Answer, fault: Fault | undefined): Answer {
  switch (fault?.kind) {
    case "status":
      return htmlAnswer(fault.status, "The web server reported an error.");
    case "html":
      return htmlAnswer(200, "Checking your browser before accessing abuseipdb.com.");
    case "truncated-json":
      return { ...answer, body: answer.body.slice(0, Math.floor(answer.body.length * 0.7)) };
    case "text-plain":
      return { ...answer, headers: { ...answer.headers, "content-type": "text/plain" } };
    default:
      return answer;
  }
}

function withEntry(list: Blacklist, address: string): Blacklist {
  const entry: BlacklistEntry = {
    ipAddress: address,
    countryCode: "US",
    abuseConfidenceScore: 100,
    lastReportedAt: new Date(list.generatedAtMs).toISOString(),
  };
  return { ...list, entries: [entry, ...list.entries] };
}
