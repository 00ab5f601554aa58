/** The values that postgres.js does not know by itself: `int8` as number, and arrays of one dimension. */

interface SqlType {
  readonly to: number;
  readonly from: number[];
  readonly serialize: (value: unknown) => unknown;
  readonly parse: (text: string) => unknown;
}

const INT8 = 20;

/** Object identifiers of array types, fixed in Postgres' catalog (pg_type.dat), with what reads an element. */
const ARRAYS: readonly (readonly [oid: number, parse: (text: string) => unknown])[] = [
  [1000, (text) => text === "t"], // boolean
  [1005, Number], // smallint
  [1007, Number], // integer
  [1016, safeInteger], // bigint
  [1021, Number], // real
  [1022, Number], // double precision
  [1001, (text) => Buffer.from(text.slice(2), "hex")], // bytea
  [1009, String], // text
  [1015, String], // varchar
  [651, String], // cidr
  [1041, String], // inet
  [1231, String], // numeric
  [2951, String], // uuid
  [1185, (text) => new Date(text)], // timestamptz
  [199, (text) => JSON.parse(text) as unknown], // json
  [3807, (text) => JSON.parse(text) as unknown], // jsonb
];

export const SQL_TYPES: Record<string, SqlType> = {
  int8: { to: INT8, from: [INT8], serialize: String, parse: safeInteger as SqlType["parse"] },
  ...Object.fromEntries(
    ARRAYS.map(([oid, parse]) => [
      `array${oid}`,
      { to: oid, from: [oid], serialize: arrayLiteral, parse: (text: string) => elementsOf(text, parse) },
    ]),
  ),
};

/** What is no array (a literal written by hand) is passed on as it is. */
function arrayLiteral(values: unknown): unknown {
  if (!Array.isArray(values)) return values;
  return `{${values.map(elementText).join(",")}}`;
}

function elementText(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text =
    value instanceof Date ? value.toISOString() : value instanceof Uint8Array ? bytesText(value) : String(value);
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

function bytesText(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")}`;
}

/** `{1,NULL,"a \"b\""}`: elements are quoted where they need it. */
function elementsOf(text: string, parse: (text: string) => unknown): unknown[] {
  const elements: unknown[] = [];
  for (const match of text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|[^,]+/gs)) {
    const quoted = match[1];
    if (quoted !== undefined) elements.push(parse(quoted.replace(/\\(.)/gs, "$1")));
    else elements.push(match[0] === "NULL" ? undefined : parse(match[0]));
  }
  return elements;
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`internal error: ${text} from the database is above 2^53 - 1`);
  return value;
}
