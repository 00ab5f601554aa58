/**
 * Spamhaus DROP: one JSON object a line, the last of them about the list itself. Without that last line the list is cut,
 * however well it reads.
 */
import { linesOf } from "./lines.ts";
import { entryRow } from "./prefix-text.ts";
import type { Row, Rows } from "./row.ts";

export function* spamhausRows(text: string): Rows {
  let isWhole = false;
  for (const { line, text: whole } of linesOf(text)) {
    const value = parsed(whole);
    if (value?.type === "metadata") {
      isWhole = true;
      yield* metadataRows(value);
    } else yield rowOf(line, whole, value);
  }
  if (!isWhole) yield { kind: "refused", reason: "its last line, which says how many there are, is missing" };
}

function* metadataRows({ records, timestamp }: Readonly<Record<string, unknown>>): Rows {
  if (typeof records === "number") yield { kind: "promised", entries: records };
  if (typeof timestamp === "number") yield { kind: "made", atMs: timestamp * 1_000 };
}

function rowOf(line: number, text: string, value: Readonly<Record<string, unknown>> | undefined): Row {
  if (typeof value?.cidr === "string") return entryRow(line, value.cidr);
  const isNetwork = typeof value?.asn === "number";
  const problem = isNetwork
    ? "is about an autonomous system, and names no address"
    : "is no line of DROP: no cidr in it";
  return { kind: "bad", line, text, problem };
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined; // told as a bad line
  }
}
