/**
 * `POST /bulk-report`: a CSV file as multipart form data, field `csv`. Status 200 even where rows are refused; the whole file
 * is refused for its size, its length or its header.
 */
import { type Answer, type ApiError, invalid, jsonAnswer } from "./answer.ts";
import { type Refusal, refusalOf, storeReport } from "./report.ts";
import type { State } from "./state.ts";

const HEADER = "IP,Categories,ReportDate,Comment";
const FILE_MAX_BYTES = 2_000_000;
const ROWS_MAX = 10_000;

export function takeBulkReport(
  body: Buffer,
  contentType: string,
  key: string,
  state: State,
  nowMs: number,
): Answer | ApiError {
  const file = filePart(body, contentType);
  if (file === undefined) return invalid("csv", "The csv field is required.");
  if (file.length > FILE_MAX_BYTES) return invalid("csv", "The csv may not be greater than 2048 kilobytes.");
  const [header, ...lines] = rowsOf(file.toString("utf8"));
  if (header?.join(",") !== HEADER) return invalid("csv", "The csv header line is invalid.");
  if (lines.length > ROWS_MAX) return invalid("csv", "The csv may not have more than 10000 lines.");
  const invalidReports: { error: string; input: string; rowNumber: number }[] = [];
  const inFile = new Set<string>();
  let savedReports = 0;
  for (const [index, [address = "", categories = "", timestamp = "", comment = ""]] of lines.entries()) {
    const wish = { address, categories, comment, timestamp: timestamp === "" ? null : timestamp };
    const refusal: Refusal | undefined = inFile.has(address)
      ? { kind: "duplicate" }
      : refusalOf(wish, key, state, nowMs);
    inFile.add(address);
    if (refusal !== undefined) invalidReports.push({ ...errorOf(refusal), input: address, rowNumber: index + 2 });
    else {
      storeReport(wish, key, state, nowMs);
      savedReports += 1;
    }
  }
  return jsonAnswer({ data: { savedReports, invalidReports } });
}

function errorOf(refusal: Refusal): { error: string } {
  if (refusal.kind === "duplicate") return { error: "Duplicate IP" };
  const names: Record<string, string> = { ip: "Invalid IP", categories: "Invalid Category", timestamp: "Invalid Date" };
  return { error: names[refusal.parameter] ?? refusal.detail };
}

function filePart(body: Buffer, contentType: string): Buffer | undefined {
  const boundary = /^multipart\/form-data;.*boundary="?([^";]+)"?/i.exec(contentType)?.[1];
  if (boundary === undefined) return undefined;
  const begin = body.indexOf(`--${boundary}\r\n`);
  const headEnd = body.indexOf("\r\n\r\n", begin);
  const end = body.indexOf(`\r\n--${boundary}--`, headEnd);
  if (begin < 0 || headEnd < 0 || end < 0) return undefined;
  const head = body.toString("latin1", begin, headEnd);
  return /name="csv"; *filename="[^"]+"/.test(head) ? body.subarray(headEnd + 4, end) : undefined;
}

/** Fields in quotes may hold commas, line feeds and doubled quotes. */
function rowsOf(text: string): string[][] {
  const rows: string[][] = [];
  for (const line of text.matchAll(/((?:"(?:[^"]|"")*"|[^"\n])*)(?:\n|$)/g)) {
    const fields = [...(line[1] ?? "").replace(/\r$/, "").matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"]*))/g)];
    if (line[0] !== "") rows.push(fields.map(([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare ?? ""));
  }
  return rows;
}
