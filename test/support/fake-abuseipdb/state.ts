/**
 * What AbuseIPDB remembers: every call, the calls of each UTC day by key and endpoint, the lists it has made, the reports.
 *
 * Kept in a file when one is named, written before the answer goes out, so that quotas survive a kill of the fake.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Blacklist } from "./blacklist.ts";
import type { Endpoint } from "./plans.ts";

/** One request as it arrived, whatever came of it. */
export interface Call {
  readonly atMs: number;
  readonly key: string;
  readonly endpoint: Endpoint;
  status: number;
}

export interface Report {
  readonly atMs: number;
  readonly key: string;
  readonly address: string;
  readonly categories: readonly number[];
  readonly comment: string;
  /** The time of the attack, as it was told. */
  readonly reportedAt: string;
}

export interface State {
  readonly calls: Call[];
  readonly reports: Report[];
  /** By plan and parameters. */
  readonly lists: Record<string, Blacklist>;
}

export interface StateFile {
  readonly state: State;
  save(): void;
}

export function openState(path: string | undefined): StateFile {
  const state = path !== undefined && existsSync(path) ? readState(path) : { calls: [], reports: [], lists: {} };
  return {
    state,
    save() {
      if (path === undefined) return;
      writeFileSync(`${path}.new`, JSON.stringify(state));
      renameSync(`${path}.new`, path);
    },
  };
}

export function utcDay(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

export function nextUtcMidnightMs(atMs: number): number {
  return Date.parse(`${utcDay(atMs)}T00:00:00Z`) + 24 * 3600_000;
}

/** Quotas are by key, endpoint and UTC day; a refused call counts as little as an unauthorized one. */
export function callsToday(state: State, key: string, endpoint: Endpoint, nowMs: number): number {
  const day = utcDay(nowMs);
  const isCounted = (call: Call) => call.status !== 429 && call.status !== 401 && utcDay(call.atMs) === day;
  return state.calls.filter((call) => call.key === key && call.endpoint === endpoint && isCounted(call)).length;
}

function readState(path: string): State {
  return JSON.parse(readFileSync(path, "utf8")) as State;
}
