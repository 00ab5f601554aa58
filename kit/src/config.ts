/**
 * YAML text → one typed, frozen record, by a table of keys that the handbook is made from too.
 *
 * All mistakes are told at once, each with file, line, key, value and remedy; after that nobody reads files again.
 * A key is a path: `web.port` stands for `port` below `web`. A `named` key holds records by free names (feeds, jails).
 */
import { type Document, isMap, isScalar, LineCounter, parseDocument, type Scalar } from "yaml";
import type { Milliseconds } from "./clock.ts";
import { type ConfigValueKind, readValue } from "./config-value.ts";
import { FleetbanError } from "./errors.ts";
import { nearest } from "./nearest.ts";

export type { ConfigValueKind } from "./config-value.ts";

export interface NamedKind {
  readonly kind: "named";
  readonly description: string;
  readonly of: ConfigTable;
}

export type ConfigTable = Readonly<{ [key: string]: ConfigValueKind | NamedKind }>;

/** The record that a table gives, by key path. */
export type ConfigOf<Table extends ConfigTable> = { readonly [Key in keyof Table]: ValueOf<Table[Key]> };

type ValueOf<Spec> = Spec extends { kind: "named"; of: infer Inner extends ConfigTable }
  ? Readonly<Record<string, ConfigOf<Inner>>>
  : Spec extends { default: undefined }
    ? PlainOf<Spec> | undefined
    : PlainOf<Spec>;

type PlainOf<Spec> = Spec extends { kind: "text" }
  ? string
  : Spec extends { kind: "choice"; of: readonly (infer Choice)[] }
    ? Choice
    : Spec extends { kind: "texts" }
      ? readonly string[]
      : Spec extends { kind: "flag" }
        ? boolean
        : Spec extends { kind: "duration" }
          ? Milliseconds
          : number;

export interface ConfigMistake {
  readonly file: string;
  readonly line: number;
  readonly key: string;
  /** What is wrong, with the value, and the remedy. */
  readonly problem: string;
}

export class ConfigError extends FleetbanError {
  readonly mistakes: readonly ConfigMistake[];

  constructor(mistakes: readonly ConfigMistake[]) {
    const lines = mistakes.map(
      ({ file, line, key, problem }) => `${file}:${line}: ${key === "" ? "" : `${key} `}${problem}`,
    );
    super("bad-config", lines.join("\n"));
    this.mistakes = mistakes;
  }
}

/**
 * Tells a mistake between values; `path` is the way through the maps to the key that has to change. Nothing is told where
 * one of the keys that it rests on is wrong by itself: its default stands there, which nobody wrote.
 */
export type ComplainAt = (path: readonly string[], problem: string, restsOn?: readonly (readonly string[])[]) => void;

/** Reading takes the longer the longer a text is, by the square of its keys: this much takes half a second. */
export const CONFIG_MAX_CHARACTERS = 100_000;

/** Where a key that this file does not have belongs, in words; undefined = nowhere. */
export type HomeOf = (key: string) => string | undefined;

/** Whether a table has the key, or a section of that name; free names count as they are written. */
export function hasKey(table: ConfigTable, key: string): boolean {
  return Object.entries(table).some(([known, spec]) => {
    if (known === key || known.startsWith(`${key}.`)) return true;
    if (spec.kind !== "named" || !key.startsWith(`${known}.`)) return false;
    const [, ...inner] = key.slice(known.length + 1).split(".");
    return inner.length === 0 || hasKey(spec.of, inner.join("."));
  });
}

/**
 * Throws a ConfigError that tells every mistake; `compare` looks for those between values, each of which is right by
 * itself: in place of a wrong one it is given the default.
 */
export function readConfig<const Table extends ConfigTable>(
  text: string,
  file: string,
  table: Table,
  compare?: (config: ConfigOf<Table>, complain: ComplainAt) => void,
  homeOf: HomeOf = () => undefined,
): ConfigOf<Table> {
  if (text.length > CONFIG_MAX_CHARACTERS) {
    const problem = `is ${text.length} characters long: at most ${CONFIG_MAX_CHARACTERS} are read; shorten it`;
    throw new ConfigError([{ file, line: 1, key: "", problem }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const mistakes: ConfigMistake[] = document.errors.map(({ code, pos, message }) => {
    const at = { file, line: lines.linePos(pos[0]).line };
    // The error spans no more than the key's first letter.
    if (code === "DUPLICATE_KEY")
      return { ...at, key: keyAt(text, pos[0]), problem: "is given twice; remove one of them" };
    return { ...at, key: "", problem: `is no YAML: ${(message.split(" at line ")[0] ?? message).replace(/:$/, "")}` };
  });
  if (mistakes.length > 0) throw new ConfigError(mistakes);

  const wrong = new Set<string>();
  const reading: Reading = {
    isWhole: true,
    homeOf,
    complain(path, key, problem) {
      wrong.add(path.join("\0"));
      mistakes.push({ file, line: lineOf(document, lines, path), key, problem });
    },
  };
  const record = readTable(valuesIn(document, file), table, { path: [], key: "" }, reading) as ConfigOf<Table>;
  const complain: ComplainAt = (path, problem, restsOn = []) => {
    if (restsOn.every((one) => !wrong.has(one.join("\0")))) reading.complain(path, path.join("."), problem);
  };
  if (reading.isWhole) compare?.(record, complain);
  if (mistakes.length > 0) throw new ConfigError(mistakes.toSorted((first, second) => first.line - second.line));
  return record;
}

function keyAt(text: string, offset: number): string {
  return /^[^\s:,}]*/.exec(text.slice(offset))?.[0] ?? "";
}

/** An alias may stand for nothing, for itself, or for more than any memory holds. */
function valuesIn(document: Document, file: string): unknown {
  try {
    const value: unknown = document.toJS();
    JSON.stringify(value); // fails on what holds itself
    return value;
  } catch (error) {
    const problem = `is no YAML that can be read: ${String(error).split("\n")[0]}; write out what its aliases stand for`;
    throw new ConfigError([{ file, line: 1, key: "", problem }]);
  }
}

/** Where a value stands: its way through the maps, and the key that people know it by. */
interface Place {
  readonly path: readonly string[];
  readonly key: string;
}

interface Reading {
  complain(path: readonly string[], key: string, problem: string): void;
  /** False = something has no value, and there is no default for it: what stands there can't be compared. */
  isWhole: boolean;
  readonly homeOf: HomeOf;
}

function readTable(raw: unknown, table: ConfigTable, place: Place, reading: Reading): object {
  const found = new Map<string, { readonly raw: unknown; readonly place: Place }>();
  gather(raw, "", place.path);
  const entries = Object.entries(table).map(([key, spec]) => {
    const at = found.get(key) ?? { raw: undefined, place: { path: place.path, key: below(place.key, key) } };
    return [
      key,
      spec.kind === "named" ? readNamed(spec, at.raw, at.place, reading) : readKey(spec, at.raw, at.place, reading),
    ];
  });
  return Object.freeze(Object.fromEntries(entries));

  /** Collects the values of known keys and complains of the others. */
  function gather(map: unknown, prefix: string, path: readonly string[]): void {
    if (map === undefined || map === null) return;
    if (!isRecord(map)) {
      reading.complain(path, below(place.key, prefix.slice(0, -1)), "must hold keys with values");
      return;
    }
    for (const [name, value] of Object.entries(map)) {
      const key = prefix + name;
      const at = { path: [...path, name], key: below(place.key, key) };
      if (found.has(key)) reading.complain(at.path, at.key, "is given twice; remove one of them");
      else if (Object.hasOwn(table, key)) found.set(key, { raw: value, place: at });
      else if (Object.keys(table).some((known) => known.startsWith(`${key}.`))) gather(value, `${key}.`, at.path);
      else {
        const home = reading.homeOf(at.key);
        reading.complain(at.path, at.key, isRestOfText(name, value) ? SPLIT_TEXT : unknownKey(key, table, home));
      }
    }
  }
}

function readNamed(spec: NamedKind, raw: unknown, { path, key }: Place, reading: Reading): object {
  if (raw === undefined || raw === null) return Object.freeze({});
  if (!isRecord(raw)) {
    reading.complain(path, key, "must hold names with keys below them");
    return {};
  }
  const entries = Object.entries(raw).map(([name, inner]) => {
    if (name.trim() === "") reading.complain([...path, name], key, `has the name ${JSON.stringify(name)}; give it one`);
    return [name, readTable(inner, spec.of, { path: [...path, name], key: below(key, name) }, reading)];
  });
  return Object.freeze(Object.fromEntries(entries));
}

function readKey(spec: ConfigValueKind, raw: unknown, { path, key }: Place, reading: Reading): unknown {
  if (raw === undefined || raw === null) {
    if (!("default" in spec)) reading.complain(path, key, `is missing: ${spec.description}`);
  } else {
    const read = readValue(spec, raw);
    if ("value" in read) return Object.freeze(read.value);
    reading.complain(path, key, `is ${JSON.stringify(raw)}: ${read.problem}`);
  }
  if (!("default" in spec)) reading.isWhole = false;
  return spec.default === undefined ? undefined : defaultOf(spec, key);
}

/** Defaults are written as in the config, and read the same way. */
function defaultOf(spec: ConfigValueKind, key: string): unknown {
  const read = readValue(spec, spec.default);
  if ("problem" in read) throw new Error(`internal error: default of ${key} ${read.problem}`);
  return Object.freeze(read.value);
}

const SPLIT_TEXT = "is no key of this file; what has a comma in it goes into quotes";

/** What YAML makes of `443` in `{ ports: 80,443 }`. */
function isRestOfText(name: string, value: unknown): boolean {
  return value === null && /^[\d-]+$/.test(name);
}

function unknownKey(key: string, table: ConfigTable, home: string | undefined): string {
  if (home !== undefined) return `is no key of this file; it belongs into ${home}`;
  const meant = nearest(key, Object.keys(table).flatMap(withSections));
  return meant === undefined ? "is no key of this file; remove it" : `is no key of this file; did you mean ${meant}?`;
}

/** `a.b.c` and the sections `a` and `a.b` that it stands in: those are mistyped as well. */
function withSections(key: string): string[] {
  const names = key.split(".");
  return names.map((_, index) => names.slice(0, index + 1).join("."));
}

/** The line of the key, or that of the map around it for a key that is missing. */
function lineOf(document: Document, lines: LineCounter, path: readonly string[]): number {
  const range = keyOf(document.contents, path)?.range;
  return range == null ? 1 : lines.linePos(range[0]).line;
}

/** The key at the end of the way, or the last before it that is there. */
function keyOf(map: unknown, path: readonly string[]): Scalar | undefined {
  return path.length === 0 ? undefined : (wholeKeyOf(map, path) ?? keyOf(map, path.slice(0, -1)));
}

/** Several names of the way may be one key, with dots. */
function wholeKeyOf(map: unknown, path: readonly string[]): Scalar | undefined {
  if (!isMap(map)) return undefined;
  for (let names = 1; names <= path.length; names += 1) {
    const name = path.slice(0, names).join(".");
    const pair = map.items.find((item) => isScalar(item.key) && String(item.key.value) === name);
    if (pair === undefined) continue;
    const key = names === path.length ? pair.key : wholeKeyOf(pair.value, path.slice(names));
    if (isScalar(key)) return key;
  }
  return undefined;
}

function below(parent: string, key: string): string {
  return parent === "" || key === "" ? parent + key : `${parent}.${key}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
