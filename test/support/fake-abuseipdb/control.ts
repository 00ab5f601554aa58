/**
 * The back door of the fake for those who run it as a process: `GET /_fake/calls?endpoint=blacklist`, and
 * `POST /_fake/{entries,regenerate,fault,report-fault,clear-faults,clock}` with a JSON body.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { BlacklistEntry } from "./blacklist.ts";
import type { Fault, PlannedFault, ReportFault } from "./fault.ts";
import type { Endpoint } from "./plans.ts";
import type { Call, Report } from "./state.ts";

/** What of the fake may be told and asked from outside. */
export interface Controlled {
  calls(endpoint: Endpoint): readonly Call[];
  mostCallsInADay(endpoint: Endpoint): number;
  reports(): readonly Report[];
  setEntries(entries: readonly BlacklistEntry[], options: { regenerate: boolean }): void;
  regenerate(): void;
  inject(fault: Fault, times?: number): void;
  injectReport(fault: ReportFault, times?: number): void;
  clearFaults(): void;
  advanceClock(byMs: number): void;
}

export async function answerControl(
  fake: Controlled,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const answer = act(
    fake,
    path,
    new URL(request.url ?? "/", "http://fake").searchParams,
    text === "" ? {} : JSON.parse(text),
  );
  response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify(answer ?? { error: `no such control: ${path}` }));
}

function act(fake: Controlled, path: string, query: URLSearchParams, body: unknown): unknown {
  switch (path) {
    case "/_fake/calls": {
      const endpoint = (query.get("endpoint") ?? "blacklist") as Endpoint;
      return { calls: fake.calls(endpoint), mostInADay: fake.mostCallsInADay(endpoint) };
    }
    case "/_fake/reports":
      return { reports: fake.reports() };
    case "/_fake/entries": {
      const { entries, regenerate = false } = body as { entries: BlacklistEntry[]; regenerate?: boolean };
      fake.setEntries(entries, { regenerate });
      return {};
    }
    case "/_fake/regenerate":
      fake.regenerate();
      return {};
    case "/_fake/fault": {
      const { fault, times } = body as PlannedFault;
      fake.inject(fault, times);
      return {};
    }
    case "/_fake/report-fault": {
      const { fault, times } = body as { fault: ReportFault; times?: number };
      fake.injectReport(fault, times);
      return {};
    }
    case "/_fake/clear-faults":
      fake.clearFaults();
      return {};
    case "/_fake/clock":
      fake.advanceClock((body as { advanceMs: number }).advanceMs);
      return {};
    default:
      return undefined;
  }
}
