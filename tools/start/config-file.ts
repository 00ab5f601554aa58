/**
 * A program's YAML, of which some keys are ours and the rest, comments included, is the operator's.
 *
 * Written at the first start with everything in it; later starts set only what must be true for them (paths, when the folder
 * was moved; what the command line says) and leave the file alone when it says so already.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type Document, isMap, parseDocument } from "yaml";
import { writeFileAtomic } from "../../kit/src/drivers/atomic-file.ts";
import { StartError } from "./start-error.ts";

/** By key path, `health.port`. */
export type Keys = Readonly<Record<string, string | number | readonly string[]>>;

export interface ConfigFile {
  /** Undefined = not in the file. */
  get(key: string): unknown;
}

export interface WantedConfig {
  readonly path: string;
  readonly head: string;
  /** For a file that is not there yet. */
  readonly first: Keys;
  readonly always: Keys;
}

const MODE = 0o600; // it may come to hold an API key

export async function ensureConfig({ path, head, first, always }: WantedConfig): Promise<ConfigFile> {
  const isNew = !existsSync(path);
  const text = isNew ? head : await readFile(path, "utf8");
  const document = parseDocument(text);
  if (document.errors.length > 0 || !(document.contents === null || isMap(document.contents))) {
    throw new StartError("bad-config", `${path}: is no YAML map: ${document.errors[0]?.message.split("\n")[0] ?? ""}`, {
      hint: "correct it, or delete it: a new one is written",
    });
  }
  const wanted = Object.entries(isNew ? { ...first, ...always } : always);
  const changed = wanted.filter(([key, value]) => JSON.stringify(getKey(document, key)) !== JSON.stringify(value));
  for (const [key, value] of changed) setKey(document, key, value);
  if (changed.length > 0) await writeFileAtomic(path, Buffer.from(document.toString({ lineWidth: 0 })), MODE);
  return { get: (key) => getKey(document, key) };
}

/** A key may stand as one (`health.port: 1`) or below its first part. */
function getKey(document: Document, key: string): unknown {
  const value: unknown = document.has(key) ? document.get(key) : document.getIn(key.split("."));
  return typeof value === "object" && value !== null && "toJSON" in value
    ? (value as { toJSON(): unknown }).toJSON()
    : value;
}

function setKey(document: Document, key: string, value: unknown): void {
  if (!document.has(key) && document.hasIn(key.split("."))) document.setIn(key.split("."), value);
  else document.set(key, value);
}
