/**
 * Comma-separated values (or with another separator): the columns that matter are named by number or by title.
 *
 * One line is one record: a list of addresses has no need of line ends inside of quotes.
 */
import type { CsvColumns } from "../feed.ts";
import { linesOf } from "./lines.ts";
import { entryRow, rangeRow } from "./prefix-text.ts";
import type { Row, Rows } from "./row.ts";

type Column = Exclude<keyof CsvColumns, "separator">;
const COLUMNS: readonly Column[] = ["prefix", "end", "confidence", "country", "network"];

/** Index of each wanted column. */
type Places = Readonly<Partial<Record<Column, number>>>;

export function* csvRows(text: string, columns: CsvColumns): Rows {
  let places = COLUMNS.some((column) => isTitle(columns[column])) ? undefined : placesOf(columns, []);
  let isFirst = true;
  for (const { line, text: whole } of linesOf(text)) {
    if (whole.startsWith("#")) continue;
    const cells = cellsOf(whole, columns.separator);
    if (places === undefined) {
      places = placesOf(columns, cells);
      const missing = COLUMNS.find((column) => columns[column] !== undefined && places?.[column] === undefined);
      if (missing !== undefined) {
        // Not quoted: a file that is no list at all may hold anything.
        yield { kind: "refused", reason: `no column ${columns[missing]} among the ${cells.length} of its first line` };
        return;
      }
      isFirst = false;
      continue;
    }
    const row = rowOf(line, cells, places);
    // Titles over columns that are given by number.
    if (!(isFirst && row.kind === "bad" && /[a-z_]{2}/i.test(row.text) && !/[.:]/.test(row.text))) yield row;
    isFirst = false;
  }
}

function rowOf(line: number, cells: readonly string[], places: Places): Row {
  const cell = (column: Column) => (places[column] === undefined ? "" : (cells[places[column]] ?? ""));
  const confidence = cell("confidence");
  const country = cell("country").toUpperCase();
  const [, network] = /^(?:AS)?(\d{1,10})\b/i.exec(cell("network")) ?? [];
  if (places.confidence !== undefined && !(/^\d{1,3}(?:\.\d+)?$/.test(confidence) && Number(confidence) <= 100)) {
    return { kind: "bad", line, text: cells.join(" "), problem: `confidence ${confidence}: must be 0 to 100` };
  }
  const told = {
    ...(places.confidence === undefined ? {} : { confidence: Math.floor(Number(confidence)) }),
    ...(/^[A-Z]{2}$/.test(country) ? { country } : {}),
    ...(network === undefined ? {} : { network: Number(network) }),
  };
  const text = cell("prefix");
  return places.end === undefined
    ? entryRow(line, text, told)
    : rangeRow({ line, text: `${text}-${cell("end")}` }, text, cell("end"), told);
}

function isTitle(column: string | undefined): boolean {
  return column !== undefined && !/^[1-9]\d{0,2}$/.test(column);
}

function placesOf(columns: CsvColumns, titles: readonly string[]): Places {
  const places: Partial<Record<Column, number>> = {};
  for (const column of COLUMNS) {
    const wanted = columns[column];
    if (wanted === undefined) continue;
    const index = isTitle(wanted)
      ? titles.findIndex((title) => title.toLowerCase() === wanted.toLowerCase())
      : Number(wanted) - 1;
    if (index >= 0) places[column] = index;
  }
  return places;
}

/** `a,"b ""c"" d"` → a · b "c" d */
function cellsOf(line: string, separator: string): string[] {
  if (!line.includes('"')) return line.split(separator).map((cell) => cell.trim());
  const cells: string[] = [];
  let cell = "";
  let isQuoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const character = line.charAt(at);
    if (character === '"' && isQuoted && line.charAt(at + 1) === '"') {
      cell += '"';
      at += 1;
    } else if (character === '"') isQuoted = !isQuoted;
    else if (character === separator && !isQuoted) {
      cells.push(cell.trim());
      cell = "";
    } else cell += character;
  }
  return [...cells, cell.trim()];
}
