/** One feed in full, and the presets, for people. */
import {
  type Cell,
  type Column,
  humanCount,
  humanMoment,
  humanSeconds,
  plain,
  renderFacts,
  renderTable,
} from "@fleetban/kit/cli-output";
import type { FeedFetch, FeedPreset, ShowFeedResponse } from "@fleetban/proto/wire/admin";

const FETCH_COLUMNS: readonly Column[] = [
  { title: "fetch", align: "right" },
  { title: "when" },
  { title: "made" },
  { title: "entries", align: "right" },
  { title: "left out", align: "right" },
  { title: "outcome" },
];

const LINE_COLUMNS: readonly Column[] = [{ title: "line", align: "right" }, { title: "text" }, { title: "problem" }];

const PRESET_COLUMNS: readonly Column[] = [
  { title: "preset" },
  { title: "list" },
  { title: "mode" },
  { title: "every" },
  { title: "licence" },
  { title: "note" },
];

export function feedText({ feed, fetches, refusedLines }: ShowFeedResponse, nowMs: number): string {
  if (feed === undefined) return "";
  const hold = feed.holdNo === 0 ? "(none)" : `${feed.holdNo}; see: fleetban holds show ${feed.holdNo}`;
  const leftOut = feed.refused.map(({ kind, count }) => `${humanCount(count)} ${kind}`).join(", ");
  const facts = renderFacts([
    ["feed", feed.name],
    ["at", plain(feed.at)],
    ["mode", feed.mode],
    ["list", feed.list],
    ["licence", feed.licence],
    ["entries", humanCount(feed.entries)],
    ["left out", leftOut === "" ? "(none)" : leftOut],
    ["every", humanSeconds(feed.everySeconds)],
    ["listed for", humanSeconds(feed.staleAfterSeconds)],
    ["next", humanMoment(feed.nextAtMs, nowMs)],
    ["outcome", plain(feed.outcome)],
    ["hold", hold],
    ["collisions", feed.collisions === "" ? "(none)" : plain(feed.collisions)],
  ]);
  const rows = fetches.map((fetch) => fetchRow(fetch, nowMs));
  const table = `${facts}\n\nlast fetches:\n${renderTable(FETCH_COLUMNS, rows, "none yet")}`;
  if (refusedLines.length === 0) return table;
  const lines = refusedLines.map(({ line, text, problem }) => {
    return [line === 0 ? "" : String(line), plain(text), plain(problem)];
  });
  return `${table}\n\nlines that were left out, some of each kind:\n${renderTable(LINE_COLUMNS, lines)}`;
}

function fetchRow(fetch: FeedFetch, nowMs: number): readonly Cell[] {
  const { fetchNo, fetchedAtMs, generatedAtMs, entries, refused, outcome, reason } = fetch;
  const when = humanMoment(fetchedAtMs, nowMs);
  const made = generatedAtMs === 0 ? "" : humanMoment(generatedAtMs, nowMs);
  const told = reason === "" ? outcome : `${outcome}: ${plain(reason)}`;
  return [String(fetchNo), when, made, humanCount(entries), humanCount(refused), told];
}

export function presetTable(presets: readonly FeedPreset[]): string {
  const rows = presets.map((preset) => {
    const { name, title, mode, everySeconds, licence, note } = preset;
    return [name, title, mode, humanSeconds(everySeconds), licence, note];
  });
  return renderTable(PRESET_COLUMNS, rows);
}
