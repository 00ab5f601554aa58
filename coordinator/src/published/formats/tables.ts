/** Formats with a row a listing and what is known of it: prefix, family, end, rank. They are not aggregated unless asked. */
import { type Format, moment, rowsAsText } from "./format.ts";

const ROWS = { needsAggregation: false, isAggregated: false, hasTimeouts: false } as const;

export const JSON_FORMAT: Format = {
  ...ROWS,
  contentType: "application/json",
  *text({ lists, families }) {
    yield `{"lists":${JSON.stringify(lists)},"listings":[\n`;
    yield* rowsAsText(
      families,
      ({ prefix, until, rank }) => JSON.stringify({ prefix, until: moment(until) ?? null, rank }),
      ",\n",
    );
    yield "\n]}\n";
  },
};

export const CSV: Format = {
  ...ROWS,
  contentType: "text/csv; charset=utf-8; header=present",
  *text({ families }) {
    yield "prefix,family,until,rank\r\n";
    yield* rowsAsText(
      families,
      ({ prefix, family, until, rank }) => `${prefix},${family},${moment(until) ?? ""},${rank}\r\n`,
    );
  },
};

export const XML: Format = {
  ...ROWS,
  contentType: "application/xml",
  // Names of lists have no character that XML would want escaped.
  *text({ lists, families }) {
    yield `<?xml version="1.0" encoding="UTF-8"?>\n<fleetban lists="${lists.join(" ")}">\n`;
    yield* rowsAsText(families, ({ prefix, family, until, rank }) => {
      const end = moment(until);
      return `<listing prefix="${prefix}" family="${family}" rank="${rank}"${end === undefined ? "" : ` until="${end}"`}/>\n`;
    });
    yield "</fleetban>\n";
  },
};
