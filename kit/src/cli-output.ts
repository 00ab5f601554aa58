/**
 * What people see on a terminal: aligned tables, humanized times.
 *
 * Text may come from far away (a jail's name), so control characters never reach the terminal. Absent is `(none)`.
 */
import { formatDuration } from "./duration.ts";

export type Cell = string | number | undefined;

export interface Column {
  readonly title: string;
  /** Numbers stand right. */
  readonly align?: "left" | "right";
}

const GAP = "  ";
const ABSENT = "(none)";

/** Without a line feed at the end of the last line; no rows give `empty`, the titles alone would leave readers to guess. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly Cell[])[], empty?: string): string {
  if (rows.length === 0 && empty !== undefined) return empty;
  const titles = columns.map(({ title }) => title.toUpperCase());
  const lines = [titles, ...rows.map((row) => columns.map((_, index) => textOf(row[index])))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => lengthOf(line[index] ?? ""))));
  return lines.map((line) => renderLine(line, widths, columns)).join("\n");
}

/** One fact a line: `name:  value`. */
export function renderFacts(facts: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(...facts.map(([name]) => lengthOf(name)));
  return facts.map(([name, value]) => `${`${name}:`.padEnd(width + 1)}${GAP}${textOf(value)}`.trimEnd()).join("\n");
}

/** For programs: tab-separated, raw, absent is empty. */
export function renderTsv(rows: readonly (readonly Cell[])[]): string {
  return rows.map((row) => row.map((cell) => (cell === undefined ? "" : plain(String(cell)))).join("\t")).join("\n");
}

/** `3m ago`, `in 2h5m`, `now`; the two largest units. 0 is absent. */
export function humanMoment(momentMs: number, nowMs: number): string {
  if (momentMs === 0) return ABSENT;
  const seconds = Math.round((momentMs - nowMs) / 1000);
  if (seconds === 0) return "now";
  return seconds < 0 ? `${humanSeconds(-seconds)} ago` : `in ${humanSeconds(seconds)}`;
}

/** The two largest units: `1d4h`, `5m3s`. */
export function humanSeconds(seconds: number): string {
  const parts = formatDuration(seconds).match(/\d+[a-z]/g) ?? [];
  return parts.slice(0, 2).join("");
}

/** Microseconds as `850 us`, `1.2 ms`, `3.4 s`. */
export function humanMicroseconds(us: number): string {
  if (us < 1_000) return `${Math.round(us)} us`;
  return us < 1_000_000 ? `${(us / 1_000).toFixed(1)} ms` : `${(us / 1_000_000).toFixed(1)} s`;
}

/** UTC to the second: `2026-11-21 09:00:00`. 0 is absent. */
export function utcTime(momentMs: number): string {
  return momentMs === 0 ? ABSENT : new Date(momentMs).toISOString().slice(0, 19).replace("T", " ");
}

/** Groups of three: `1 234 567`. */
export function humanCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, " ");
}

/** Free of control characters, line feeds and tabs included. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "\ufffd");
}

function renderLine(line: readonly string[], widths: readonly number[], columns: readonly Column[]): string {
  const cells = line.map((cell, index) => {
    const missing = " ".repeat(Math.max(0, (widths[index] ?? 0) - lengthOf(cell)));
    return columns[index]?.align === "right" ? missing + cell : cell + missing;
  });
  return cells.join(GAP).trimEnd();
}

function textOf(cell: Cell): string {
  return cell === undefined || cell === "" ? ABSENT : plain(String(cell));
}

function lengthOf(text: string): number {
  return [...text].length;
}
