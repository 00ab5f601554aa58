/** The headers of an answer that came over HTTP, as the rooms take them. */
import type { IncomingMessage } from "node:http";

/** Names in lower case; of one that came several times the first. */
export function headersOf({ headers }: IncomingMessage): Record<string, string | undefined> {
  const pairs = Object.entries(headers);
  return Object.fromEntries(pairs.map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]));
}
