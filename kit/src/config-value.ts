/** One value of the config, from YAML to what the program takes: a bound, a unit and a complaint for each kind. */
import { type Milliseconds, ms } from "./clock.ts";
import { DurationError, parseDurationSeconds } from "./duration.ts";

interface Described {
  /** One sentence for the handbook. */
  readonly description: string;
  readonly unit?: string;
}

/** A key without `default` must be given; with `default: undefined` it may be absent. */
export type ConfigValueKind = Described &
  (
    | {
        readonly kind: "text";
        readonly default?: string | undefined;
        readonly check?: (text: string) => string | undefined;
        /** Stands between the parts of a text that has several: who writes a list is told so. */
        readonly separator?: string;
      }
    | {
        readonly kind: "texts";
        readonly default?: readonly string[] | undefined;
        readonly check?: (text: string) => string | undefined;
      }
    | {
        readonly kind: "number";
        readonly default?: number | undefined;
        readonly min?: number;
        readonly max?: number;
        readonly isFraction?: boolean;
      }
    | { readonly kind: "flag"; readonly default?: boolean | undefined }
    | { readonly kind: "choice"; readonly of: readonly string[]; readonly default?: string | undefined }
    | { readonly kind: "duration"; readonly default?: string | undefined; readonly min?: string; readonly max?: string }
    | { readonly kind: "bytes"; readonly default?: string | undefined }
  );

export type ConfigValue = string | number | boolean | Milliseconds | readonly string[];

/** `problem` says what is wrong and what to write instead. */
export type ReadValue = { readonly value: ConfigValue } | { readonly problem: string };

const SIZE = /^(\d{1,12})(B|kB|MB|GB|KiB|MiB|GiB)?$/;
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

export function readValue(spec: ConfigValueKind, raw: unknown): ReadValue {
  switch (spec.kind) {
    case "text":
      return Array.isArray(raw) ? { problem: notAList(raw, spec.separator) } : readText(raw, spec.check);
    case "texts":
      return readTexts(raw, spec.check);
    case "number":
      return readNumber(raw, spec);
    case "flag":
      return typeof raw === "boolean" ? { value: raw } : { problem: "must be true or false" };
    case "choice":
      return spec.of.includes(String(raw))
        ? { value: String(raw) }
        : { problem: `must be one of ${spec.of.join(", ")}` };
    case "duration":
      return readDuration(raw, spec);
    case "bytes":
      return readSize(raw);
  }
}

function readText(raw: unknown, check: ((text: string) => string | undefined) | undefined): ReadValue {
  const text = typeof raw === "number" ? String(raw) : raw;
  if (typeof text !== "string") return { problem: "must be text; put it in quotes" };
  const problem = check?.(text);
  return problem === undefined ? { value: text } : { problem };
}

function notAList(items: readonly unknown[], separator: string | undefined): string {
  const isPlain = items.every((item) => typeof item === "string" || typeof item === "number");
  if (separator === undefined || !isPlain || items.length === 0) return "must be one text, not a list";
  return `must be one text; write ${JSON.stringify(items.join(separator))}`;
}

function readTexts(raw: unknown, check: ((text: string) => string | undefined) | undefined): ReadValue {
  if (!Array.isArray(raw)) return { problem: "must be a list; write [a, b] or one a line after a dash" };
  const read = raw.map((item: unknown) => readText(item, check));
  for (const [index, item] of read.entries()) {
    if (!("problem" in item)) continue;
    const which = read.length === 1 ? "" : `; ${JSON.stringify(raw[index])} is not`;
    return { problem: `${item.problem}${which}` };
  }
  return { value: read.map((item) => ("value" in item ? String(item.value) : "")) };
}

function readNumber(raw: unknown, spec: Extract<ConfigValueKind, { kind: "number" }>): ReadValue {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, isFraction = false } = spec;
  const isWanted = typeof raw === "number" && (isFraction ? Number.isFinite(raw) : Number.isInteger(raw));
  if (isWanted && raw >= min && raw <= max) return { value: raw };
  const bound = spec.max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
  return { problem: `must be a ${isFraction ? "number" : "whole number"} ${bound}` };
}

function readDuration(raw: unknown, { min, max }: Extract<ConfigValueKind, { kind: "duration" }>): ReadValue {
  const seconds = durationSeconds(String(raw));
  if (seconds === undefined) return { problem: "must be a duration like 90s, 10m, 1h30m or 7d" };
  if (min !== undefined && seconds < parseDurationSeconds(min)) return { problem: `must be at least ${min}` };
  if (max !== undefined && seconds > parseDurationSeconds(max)) return { problem: `must be at most ${max}` };
  return { value: ms(seconds * 1000) };
}

function durationSeconds(text: string): number | undefined {
  try {
    return parseDurationSeconds(text);
  } catch (error) {
    if (error instanceof DurationError) return undefined; // told with the key's name by the caller
    throw error;
  }
}

function readSize(raw: unknown): ReadValue {
  const [, digits, unit = "B"] = SIZE.exec(String(raw)) ?? [];
  const factor = SIZE_UNITS[unit];
  if (digits === undefined || factor === undefined) return { problem: "must be a size like 4096, 64MiB or 1GB" };
  return { value: Number(digits) * factor };
}
