/** A fetched body by the rules of its feed: the format's rows, gathered in slices, so that a long list holds nobody up. */
import { finishInTurns } from "@fleetban/kit/slices";
import type { Turns } from "@fleetban/kit/turns";
import type { UnixMs } from "@fleetban/proto/model/time";
import type { AbuseIpdbFeed, EntryFilter, ListFeed } from "./feed.ts";
import { abuseIpdbJsonRows, abuseIpdbPlainRows } from "./formats/abuseipdb.ts";
import { csvRows } from "./formats/csv.ts";
import { dshieldRows } from "./formats/dshield.ts";
import { mmdbRows } from "./formats/mmdb.ts";
import { netsetRows, plainRows } from "./formats/plain.ts";
import type { Row } from "./formats/row.ts";
import { spamhausRows } from "./formats/spamhaus.ts";
import { type Gathered, type GatherRules, gatherEntries } from "./gather-entries.ts";
import { textOfBody, unpackedBody } from "./list-body.ts";

/** Their list is made once a day; one and a half is a feed that has stopped. */
const ABUSEIPDB_OLDEST_MS = 36 * 3600_000;
const ABUSEIPDB_BAD_RATIO_MAX = 0.01;
/** Of a list of which nobody has said what is usual; below it, how bad the one before was decides. */
const LIST_BAD_RATIO_MAX = 0.5;

export async function readAbuseIpdb(
  feed: AbuseIpdbFeed,
  { text, generatedAt }: { readonly text: string; readonly generatedAt: string | undefined },
  now: UnixMs,
  turns: Turns | undefined,
): Promise<Gathered> {
  const { confidenceMinimum, limit, plaintext } = feed.abuseipdb;
  if (/^\s*</.test(text.slice(0, 1_024)))
    return { kind: "refused", reason: "the body is a page for people, not a list" };
  const rows = plaintext ? abuseIpdbPlainRows(text, generatedAt) : abuseIpdbJsonRows(text);
  const rules: GatherRules = {
    filter: feed.filter,
    confidence: confidenceMinimum, // at least that, whatever the key's plan
    confidenceMinimum,
    maxEntries: limit,
    mayBeEmpty: false,
    badRatioMax: ABUSEIPDB_BAD_RATIO_MAX,
    oldestMs: ABUSEIPDB_OLDEST_MS,
    now,
  };
  return await finishInTurns(gatherEntries(rows, rules), turns);
}

export async function readList(
  { settings, filter }: ListFeed,
  body: Uint8Array,
  { now, lastModified }: { readonly now: UnixMs; readonly lastModified: string | undefined },
  turns: Turns | undefined,
): Promise<Gathered> {
  const unpacked = await unpackedBody(body, settings.maxBytes);
  if ("reason" in unpacked) return { kind: "refused", reason: unpacked.reason };
  const rows = rowsOf(settings, filter, unpacked.bytes);
  if ("reason" in rows) return { kind: "refused", reason: rows.reason };
  const { confidence, confidenceMinimum, maxEntries, mayBeEmpty, oldestSeconds } = settings;
  const rules: GatherRules = {
    ...{ filter, confidence, confidenceMinimum, maxEntries, mayBeEmpty, now },
    badRatioMax: LIST_BAD_RATIO_MAX,
    oldestMs: oldestSeconds * 1_000,
  };
  return await finishInTurns(gatherEntries(dated(rows.rows, lastModified), rules), turns);
}

/** The server's word on the file's age, which the list's own word replaces. */
function* dated(rows: Iterable<Row>, lastModified: string | undefined): Generator<Row, void> {
  const atMs = Date.parse(lastModified ?? "");
  if (!Number.isNaN(atMs)) yield { kind: "made", atMs };
  yield* rows;
}

function rowsOf(
  { format, columns }: ListFeed["settings"],
  filter: EntryFilter,
  bytes: Uint8Array,
): { readonly rows: Iterable<Row> } | { readonly reason: string } {
  if (format === "mmdb") return { rows: mmdbRows(bytes, filter) };
  const body = textOfBody(bytes, format);
  if ("reason" in body) return body;
  const { text } = body;
  switch (format) {
    case "plain":
      return { rows: plainRows(text) };
    case "netset":
      return { rows: netsetRows(text) };
    case "csv":
      return { rows: csvRows(text, columns) };
    case "spamhaus":
      return { rows: spamhausRows(text) };
    case "dshield":
      return { rows: dshieldRows(text) };
  }
}
