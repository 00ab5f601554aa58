/**
 * A never-ban pack: prefixes that an operator chooses by name never to list, such as public resolvers. Pure.
 *
 * A pack is a text file that says where it comes from and as of when; the name of the file is that of the pack. Prefixes
 * stand one a line; other lines begin with `#`, those with `key: value` among the first are the pack's own facts.
 */
import { createHash } from "node:crypto";
import { FleetbanError } from "@fleetban/kit/errors";
import { familyOf, lengthOf, type Prefix, tryParsePrefix } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";

export interface Pack {
  readonly name: string;
  readonly title: string;
  /** Where its prefixes are published. */
  readonly source: string;
  /** As of when: YYYY-MM-DD. */
  readonly date: string;
  readonly terms: string;
  readonly note: string;
  readonly prefixes: readonly Prefix[];
  /** Of the prefixes, sorted: two packs that are equal here protect the same. Hexadecimal. */
  readonly sha256: string;
}

/** By name. */
export type Packs = ReadonlyMap<string, Pack>;

export class PackError extends FleetbanError {
  constructor(file: string, mistakes: readonly string[]) {
    super("bad-pack", mistakes.map((mistake) => `${file}${mistake}`).join("\n"));
  }
}

/** A wider one would need an operator's approval at every agent (PROTOCOL, rule 8), and is no pack but a mistake. */
const WIDEST = { 4: 8, 6: 24 } as const;
const FACTS = ["title", "source", "date", "terms", "note"] as const;
const NEEDED = ["title", "source", "date"] as const;
const PREFIXES_MAX = 20_000;
const TEXT_SHOWN = 60;

export function packName(file: string): string | undefined {
  return /^([a-z0-9][a-z0-9-]{0,39})\.txt$/.exec(file)?.[1];
}

/** Throws a PackError that tells every mistake with its line. */
export function parsePack(name: string, text: string): Pack {
  const facts = new Map<string, string>();
  const prefixes = new Set<Prefix>();
  const mistakes: string[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    const [, key, value] = /^#\s*([a-z]+):\s*(.+)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined && FACTS.some((fact) => fact === key)) facts.set(key, value);
    if (line === "" || line.startsWith("#")) continue;
    const problem = takePrefix(line.split(/\s/)[0] ?? "", prefixes);
    if (problem !== undefined) mistakes.push(`:${index + 1}: ${line.slice(0, TEXT_SHOWN)}: ${problem}`);
  }
  const fact = (key: (typeof FACTS)[number]) => facts.get(key) ?? "";
  for (const key of NEEDED) if (fact(key) === "") mistakes.push(`: has no ${key}; write a line "# ${key}: …"`);
  if (fact("date") !== "" && !/^\d{4}-\d\d-\d\d$/.test(fact("date"))) mistakes.push(": its date must be YYYY-MM-DD");
  if (prefixes.size === 0 && mistakes.length === 0) mistakes.push(": has no prefixes; write them one a line");
  if (prefixes.size > PREFIXES_MAX)
    mistakes.push(`: has ${prefixes.size} prefixes; a pack has ${PREFIXES_MAX} at most`);
  if (mistakes.length > 0) throw new PackError(`pack ${name}`, mistakes);
  const sorted = [...prefixes].sort();
  return {
    name,
    ...{ title: fact("title"), source: fact("source"), date: fact("date"), terms: fact("terms"), note: fact("note") },
    prefixes: [...prefixes],
    sha256: createHash("sha256").update(sorted.join("\n")).digest("hex"),
  };
}

function takePrefix(text: string, prefixes: Set<Prefix>): string | undefined {
  const prefix = tryParsePrefix(text);
  if (prefix === undefined) return "is no address or network";
  const widest = WIDEST[familyOf(prefix)];
  if (lengthOf(prefix) < widest) return `is wider than /${widest}`;
  const special = specialPurposeOf(prefix);
  if (special !== undefined) return `overlaps ${special.range} (${special.name}), which is never listed anyway`;
  prefixes.add(prefix);
  return undefined;
}
