/**
 * From a list's rows to what the feed names: filtered, counted, and believed as a whole or not at all. Pure.
 *
 * A few bad lines are left out, counted and shown; many mean that this is not the list. Networks so wide that no list can
 * mean them are kept apart: who publishes those publishes anything, and the guardrails hold the whole (keeps invariant 5).
 */
import type { Slices } from "@fleetban/kit/slices";
import { covers, familyOf, type Prefix, partsOf, prefixOf } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import { type UnixMs, unixMs } from "@fleetban/proto/model/time";
import { isTooWide } from "../guardrails/judge-feed.ts";
import type { EntryFilter, FeedEntry, FeedList, RefusedKind, RefusedLine } from "./feed.ts";
import type { PrefixRow, Row } from "./formats/row.ts";

export interface GatherRules {
  readonly filter: EntryFilter;
  /** Of entries for which the list tells none. */
  readonly confidence: number;
  readonly confidenceMinimum: number;
  readonly maxEntries: number;
  readonly mayBeEmpty: boolean;
  /** Bad lines beyond this part of all are too many. */
  readonly badRatioMax: number;
  /** Its own date may lie back so far; 0 = it is not looked at. */
  readonly oldestMs: number;
  readonly now: UnixMs;
}

export type Gathered =
  | { readonly kind: "list"; readonly list: Omit<FeedList, "sha256"> }
  | { readonly kind: "refused"; readonly reason: string };

/** In a short list a handful of bad lines is no sign yet. */
const BAD_ALLOWED = 5;
const SHOWN_LINES_A_KIND = 5;
const SHOWN_LENGTH = 80;
const PROBLEM_LENGTH = 200; // with the remedy at its end
/** A list from so far ahead says that a clock or the file is broken. */
const AHEAD_MS = 24 * 3600_000;
const HOUR_MS = 3600_000;
const ROWS_A_SLICE = 512;
const FIRST_WORD_BITS = 32;
const TOO_WIDE_MAX = 1_000;

export function* gatherEntries(rows: Iterable<Row>, rules: GatherRules): Slices<Gathered> {
  const heap = newHeap();
  let count = 0;
  for (const row of rows) {
    const reason = take(heap, row, rules);
    if (reason !== undefined) return { kind: "refused", reason };
    count += 1;
    if (row.kind === "passed" || count % ROWS_A_SLICE === 0) yield;
  }
  const reason = refusalOf(heap, rules);
  if (reason !== undefined) return { kind: "refused", reason };
  const entries: FeedEntry[] = [];
  for (const [prefix, confidence] of heap.entries) entries.push({ prefix, confidence });
  const { generatedAt, refused, refusedLines, lines } = heap;
  return { kind: "list", list: { generatedAt, entries, tooWide: [...heap.tooWide], refused, refusedLines, lines } };
}

interface Heap {
  readonly entries: Map<Prefix, number>;
  readonly tooWide: Set<Prefix>;
  readonly refused: Partial<Record<RefusedKind, number>>;
  readonly refusedLines: RefusedLine[];
  generatedAt: UnixMs | undefined;
  promised: number | undefined;
  lines: number;
}

function newHeap(): Heap {
  const empty = { refused: {}, refusedLines: [], generatedAt: undefined, promised: undefined, lines: 0 };
  return { entries: new Map(), tooWide: new Set(), ...empty };
}

/** The reason why the whole list is refused, if it is. */
function take(heap: Heap, row: Row, rules: GatherRules): string | undefined {
  switch (row.kind) {
    case "refused":
      return row.reason;
    case "passed":
      return undefined;
    case "made":
      heap.generatedAt = unixMs(Math.floor(row.atMs));
      return undefined;
    case "promised":
      heap.promised = row.entries;
      return undefined;
    case "bad":
      heap.lines += 1;
      refuse(heap, "not-an-address", row, row.problem);
      return undefined;
    case "prefixes":
      heap.lines += 1;
      return takeEntry(heap, row, rules);
  }
}

function takeEntry(heap: Heap, row: PrefixRow, rules: GatherRules): string | undefined {
  const { filter, confidenceMinimum, maxEntries } = rules;
  const confidence = row.confidence ?? rules.confidence;
  const unwanted = unwantedKind(row, filter) ?? (confidence < confidenceMinimum ? "below-confidence" : undefined);
  if (unwanted !== undefined) {
    heap.refused[unwanted] = (heap.refused[unwanted] ?? 0) + 1; // asked for: no line to show
    return undefined;
  }
  for (const prefix of row.prefixes) {
    const special = specialPurposeOf(prefix);
    if (isTooWide(prefix) && !isWhollySpecial(prefix)) {
      heap.tooWide.add(prefix);
      if (heap.tooWide.size > TOO_WIDE_MAX) return `line ${row.line} names ${prefix}, one of many networks so wide`;
      continue;
    }
    if (special !== undefined) {
      refuse(heap, "special-purpose", row, `prefix ${prefix}: overlaps ${special.range}, ${special.name}`);
      continue;
    }
    if (filter.ipVersion !== undefined && familyOf(prefix) !== filter.ipVersion) {
      heap.refused["other-family"] = (heap.refused["other-family"] ?? 0) + 1;
      continue;
    }
    const earlier = heap.entries.get(prefix);
    if (earlier !== undefined) heap.refused.duplicate = (heap.refused.duplicate ?? 0) + 1;
    heap.entries.set(prefix, Math.max(earlier ?? 0, confidence));
  }
  return heap.entries.size > maxEntries ? `more than ${maxEntries} entries` : undefined;
}

function unwantedKind({ country, network }: PrefixRow, filter: EntryFilter): RefusedKind | undefined {
  const { onlyCountries, exceptCountries, onlyNetworks } = filter;
  if (onlyCountries.length > 0 && !(country !== undefined && onlyCountries.includes(country))) return "other-country";
  if (country !== undefined && exceptCountries.includes(country)) return "other-country";
  if (onlyNetworks.length > 0 && !(network !== undefined && onlyNetworks.includes(network))) return "other-network";
  return undefined;
}

function refuse(heap: Heap, kind: RefusedKind, { line, text }: { line: number; text: string }, problem: string): void {
  const count = (heap.refused[kind] ?? 0) + 1;
  heap.refused[kind] = count;
  if (count <= SHOWN_LINES_A_KIND) heap.refusedLines.push(refusedLine(kind, { line, text }, problem));
}

export function refusedLine(
  kind: RefusedKind,
  { line, text }: { readonly line: number; readonly text: string },
  problem: string,
): RefusedLine {
  return { kind, line, text: plain(text, SHOWN_LENGTH), problem: plain(problem, PROBLEM_LENGTH) };
}

function refusalOf(heap: Heap, { oldestMs, now, badRatioMax, mayBeEmpty }: GatherRules): string | undefined {
  const { entries, lines, promised, generatedAt } = heap;
  const bad = badLines(heap.refused);
  if (bad > BAD_ALLOWED && bad > lines * badRatioMax) return `${bad} of ${lines} entries are bad`;
  if (promised !== undefined && promised !== lines) return `it says that it has ${promised} entries, and has ${lines}`;
  if (generatedAt !== undefined) {
    const ageMs = now - generatedAt;
    if (oldestMs > 0 && ageMs > oldestMs) return `the list was generated ${Math.round(ageMs / HOUR_MS)} hours ago`;
    if (ageMs < -AHEAD_MS) return `the list was generated ${Math.round(-ageMs / HOUR_MS)} hours ahead`;
  }
  const isEmptyByNature = bad === 0 && (mayBeEmpty || promised === 0);
  return entries.size + heap.tooWide.size === 0 && !isEmptyByNature ? `no usable entry among ${lines}` : undefined;
}

/** Lines that a good list has not. */
export function badLines(refused: FeedList["refused"]): number {
  return (refused["not-an-address"] ?? 0) + (refused["special-purpose"] ?? 0);
}

/** Every part of it: 224.0.0.0/3, which FireHOL has, is multicast and reserved. */
function isWhollySpecial(prefix: Prefix): boolean {
  const special = specialPurposeOf(prefix);
  if (special === undefined) return false;
  if (covers(special.range, prefix)) return true;
  const parts = partsOf(prefix);
  const length = parts.length + 1;
  if (length > FIRST_WORD_BITS) return false; // no range that wide is made of parts so small
  const high = (parts.a | (1 << (FIRST_WORD_BITS - length))) >>> 0;
  return isWhollySpecial(prefixOf({ ...parts, length })) && isWhollySpecial(prefixOf({ ...parts, length, a: high }));
}

function plain(text: string, length: number): string {
  const cut = text.length > length ? `${text.slice(0, length)}...` : text;
  return cut.replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
