/**
 * AbuseIPDB's API v2 as far as fleetban meets it: blacklist, reports one by one and in bulk, check, keys, quotas of a UTC day,
 * both kinds of 429, and everything that can go wrong on the way.
 *
 * Every request is counted before it is answered, with the status it got; with a state file the counts survive a kill -9 of
 * the fake. Faults are taken in the order in which they were planned, one an answer of `/blacklist`, and apart from them one
 * an answer of the endpoints that take and tell reports.
 * For another process the same can be told and asked at `/_fake/` (see `fake-abuseipdb/control.ts`).
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type Answer,
  type ApiError,
  errorAnswer,
  htmlAnswer,
  quotaError,
  unauthorized,
} from "./fake-abuseipdb/answer.ts";
import {
  type Blacklist,
  type BlacklistEntry,
  blacklistAnswer,
  readBlacklistQuery,
  selectEntries,
} from "./fake-abuseipdb/blacklist.ts";
import { takeBulkReport } from "./fake-abuseipdb/bulk-report.ts";
import { answerCheck } from "./fake-abuseipdb/check.ts";
import { answerControl } from "./fake-abuseipdb/control.ts";
import { madeUpEntries } from "./fake-abuseipdb/entries.ts";
import { bendAnswer, bendList, type Fault, type PlannedFault, type ReportFault } from "./fake-abuseipdb/fault.ts";
import { type Endpoint, PLANS, type PlanName } from "./fake-abuseipdb/plans.ts";
import { takeReport } from "./fake-abuseipdb/report.ts";
import { sendAnswer } from "./fake-abuseipdb/send-answer.ts";
import { type Call, callsToday, nextUtcMidnightMs, openState, type Report, utcDay } from "./fake-abuseipdb/state.ts";

export interface FakeOptions {
  readonly host?: string;
  readonly port?: number;
  readonly keys?: Readonly<Record<string, PlanName>>;
  readonly entries?: readonly BlacklistEntry[];
  /** Calls, reports and lists are kept here; without it they are lost with the process. */
  readonly stateFile?: string;
  readonly nowMs?: () => number;
}

export interface FakeAbuseIpdb {
  /** The base, `http://…/api/v2`. */
  readonly url: string;
  calls(endpoint: Endpoint): readonly Call[];
  /** The most calls of an endpoint that arrived in one UTC day. */
  mostCallsInADay(endpoint: Endpoint): number;
  reports(): readonly Report[];
  /** What is known from now on; a list already made is served until it is a day old, unless `regenerate`. */
  setEntries(entries: readonly BlacklistEntry[], options?: { regenerate?: boolean }): void;
  /** Makes the next list new, as after a day. */
  regenerate(): void;
  inject(fault: Fault, times?: number): void;
  /** For the next so many answers to a report, a bulk report or a check. */
  injectReport(fault: ReportFault, times?: number): void;
  clearFaults(): void;
  advanceClock(byMs: number): void;
  close(): Promise<void>;
}

/** 80 lower-case letters and digits, as real keys are. */
export const FREE_KEY = "0123456789abcdefghijklmnopqrstuvwxyz".repeat(3).slice(0, 80);
export const SUBSCRIBER_KEY = "zyxwvutsrqponmlkjihgfedcba9876543210".repeat(3).slice(0, 80);

const BASE_PATH = "/api/v2";
const BODY_MAX_BYTES = 4_000_000;

export async function startFakeAbuseIpdb(options: FakeOptions = {}): Promise<FakeAbuseIpdb> {
  const keys = options.keys ?? { [FREE_KEY]: "free", [SUBSCRIBER_KEY]: "basic" };
  const { state, save } = openState(options.stateFile);
  const plannedFaults: PlannedFault[] = [];
  const reportFaults: ReportFault[] = [];
  const clock = options.nowMs ?? Date.now;
  let advancedMs = 0;
  let entries = options.entries ?? madeUpEntries(10_000);
  const nowMs = () => clock() + advancedMs;

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://fake");
    const answering = url.pathname.startsWith("/_fake/")
      ? answerControl(fake, url.pathname, request, response)
      : answerCall(url, request, response);
    answering.catch(() => response.destroy());
  });

  async function answerCall(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const endpoint = url.pathname.slice(BASE_PATH.length + 1) as Endpoint;
    const accept = String(request.headers.accept ?? "");
    const key = String(request.headers.key ?? url.searchParams.get("key") ?? "");
    const body = request.method === "POST" ? await readBody(request) : Buffer.alloc(0);
    const planName = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (planName === undefined) return count(errorAnswer(unauthorized, accept));
    const plan = PLANS[planName];
    const limit = plan.callsPerDay[endpoint];
    const used = callsToday(state, key, endpoint, nowMs());
    if (limit === undefined) return count(errorAnswer({ status: 404, detail: "Not found." }, accept));
    const fault = endpoint === "blacklist" ? nextFault() : undefined;
    if (used >= limit) return count(errorAnswer(quotaError(limit), accept, exhaustedHeaders(limit, fault)));
    const headers = { "x-ratelimit-limit": String(limit), "x-ratelimit-remaining": String(limit - used - 1) };
    const reportFault = endpoint === "blacklist" ? undefined : reportFaults.shift();
    if (reportFault?.kind === "reset") return count(htmlAnswer(500, ""), { kind: "reset" });
    if (reportFault?.kind === "status") {
      return count(htmlAnswer(reportFault.status, "The web server reported an error."));
    }
    const answer = answerEndpoint();
    if (reportFault?.kind === "lost-answer") return count(htmlAnswer(200, ""), { kind: "reset" });
    if ("detail" in answer) return count(errorAnswer(answer, accept, headers), fault);
    return count({ ...answer, headers: { ...headers, ...answer.headers } }, fault);

    function answerEndpoint(): Answer | ApiError {
      if (endpoint === "report" && request.method === "POST") {
        return takeReport(new URLSearchParams(body.toString("utf8")), key, state, nowMs());
      }
      if (endpoint === "bulk-report" && request.method === "POST") {
        return takeBulkReport(body, String(request.headers["content-type"] ?? ""), key, state, nowMs());
      }
      if (endpoint === "check" && request.method === "GET") return answerCheck(url.searchParams, state, nowMs());
      if (endpoint !== "blacklist" || request.method !== "GET") return { status: 405, detail: "Method not allowed." };
      const query = readBlacklistQuery(url.searchParams, accept, plan);
      if ("detail" in query) return query;
      const name = JSON.stringify([planName, { ...query, plaintext: false }]);
      const made = state.lists[name];
      const list: Blacklist =
        made !== undefined && nowMs() - made.generatedAtMs < plan.cachedMs
          ? made
          : { generatedAtMs: Math.floor(nowMs() / 1_000) * 1_000, entries: selectEntries(entries, query) };
      state.lists[name] = list;
      return bendAnswer(blacklistAnswer(bendList(list, fault), query.plaintext, headers), fault);
    }

    async function count(answered: Answer, bent?: Fault): Promise<void> {
      state.calls.push({ atMs: nowMs(), key, endpoint, status: answered.status });
      save();
      await sendAnswer(answered, bent, String(request.headers["accept-encoding"] ?? "").includes("gzip"), response);
    }
  }

  function nextFault(): Fault | undefined {
    const planned = plannedFaults[0];
    if (planned?.times === undefined) return planned?.fault;
    if (planned.times <= 1) plannedFaults.shift();
    else plannedFaults[0] = { ...planned, times: planned.times - 1 };
    return planned.fault;
  }

  function exhaustedHeaders(limit: number, fault: Fault | undefined): Record<string, string> {
    const resetMs = nextUtcMidnightMs(nowMs());
    const skewMs = fault?.kind === "skewed-reset" ? fault.skewMs : 0;
    return {
      "x-ratelimit-limit": String(limit),
      "x-ratelimit-remaining": "0",
      "retry-after": String(Math.max(0, Math.ceil((resetMs + skewMs - nowMs()) / 1_000))),
      "x-ratelimit-reset": String(Math.floor((resetMs + skewMs) / 1_000)),
    };
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  const host = address.includes(":") ? `[${address}]` : address;

  const fake: FakeAbuseIpdb = {
    url: `http://${host}:${port}${BASE_PATH}`,
    calls: (endpoint) => state.calls.filter((call) => call.endpoint === endpoint),
    mostCallsInADay(endpoint) {
      const byDay = Map.groupBy(fake.calls(endpoint), (call) => utcDay(call.atMs));
      return Math.max(0, ...[...byDay.values()].map((calls) => calls.length));
    },
    reports: () => state.reports,
    setEntries(wanted, { regenerate = false } = {}) {
      entries = wanted;
      if (regenerate) fake.regenerate();
    },
    regenerate() {
      for (const name of Object.keys(state.lists)) delete state.lists[name];
      save();
    },
    inject: (fault, times) => void plannedFaults.push(times === undefined ? { fault } : { fault, times }),
    injectReport: (fault, times = 1) => void reportFaults.push(...new Array<ReportFault>(times).fill(fault)),
    clearFaults() {
      plannedFaults.splice(0);
      reportFaults.splice(0);
    },
    advanceClock(byMs) {
      advancedMs += byMs;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_MAX_BYTES) throw new Error("a body of that size is never read to its end");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
