/** The file of a bulk report: its header to the letter, one row an address, within the service's bounds. Pure. */

export interface CsvRow {
  readonly address: string;
  readonly categories: readonly number[];
  readonly timestamp: string;
  readonly comment: string;
}

export const CSV_ROWS_MAX = 10_000;
/** The service's bound is 2 MB; which of the two megabytes is not said. */
export const CSV_BYTES_MAX = 1_900_000;

const HEADER = "IP,Categories,ReportDate,Comment";

export function csvFile(rows: readonly CsvRow[]): string {
  return [HEADER, ...rows.map(csvLine)].join("\n");
}

/** With its line feed; what a planner counts with. */
export function csvBytes({ categories, comment, address }: Omit<CsvRow, "timestamp">): number {
  return Buffer.byteLength(csvLine({ address, categories, comment, timestamp: "2026-01-01T00:00:00+00:00" })) + 1;
}

function csvLine({ address, categories, timestamp, comment }: CsvRow): string {
  return [address, quoted(categories.join(",")), timestamp, quoted(comment)].join(",");
}

/** Line feeds within a field are allowed, and not every reader of CSV knows that. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[\r\n]+/g, " ").replaceAll('"', '""')}"`;
}
