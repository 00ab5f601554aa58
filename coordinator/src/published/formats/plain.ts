/** One prefix a line: single addresses bare, or everything with its length. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { isSingle } from "@fleetban/proto/model/prefix";
import { type Format, rowsAsText } from "./format.ts";

const LINES = {
  contentType: "text/plain; charset=utf-8",
  needsAggregation: false,
  isAggregated: true,
  hasTimeouts: false,
} as const;

export const PLAIN: Format = {
  ...LINES,
  text: ({ families }) => rowsAsText(families, ({ prefix }) => `${prefix}\n`),
};

export const CIDR: Format = {
  ...LINES,
  text: ({ families }) => rowsAsText(families, ({ prefix, family }) => `${withLength(prefix, family)}\n`),
};

export function withLength(prefix: Prefix, family: 4 | 6): string {
  if (!isSingle(prefix)) return prefix;
  return `${prefix}/${family === 4 ? 32 : 128}`;
}
