/** What the `ipset` program prints: headers (`list -t`), entries (`save NAME`) and complaints. */
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { KernelEntry } from "../backend.ts";
import type { BackendErrorCode } from "../backend-error.ts";
import type { KernelHeader } from "./kernel-sets.ts";

const COMPLAINTS: readonly (readonly [RegExp, BackendErrorCode])[] = [
  [/Hash is full/, "set-full"],
  [/name does not exist|second set does not exist/, "set-missing"],
  [/Operation not permitted/, "no-permission"],
  [/in use by a kernel component|Device or resource busy/, "set-in-use"],
  [
    /Cannot open session to kernel|Kernel and userspace incompatible|not supported|Invalid argument/,
    "kernel-sets-missing",
  ],
];

/** The only place that reads meaning from the program's words. */
export function complaintCode(complaint: string): BackendErrorCode {
  return COMPLAINTS.find(([words]) => words.test(complaint))?.[1] ?? "kernel-refused";
}

/** `NAME … is in set` = true, `is NOT in set` = false, undefined = a complaint. */
export function testResult(said: string): boolean | undefined {
  if (said.includes(" is NOT in set ")) return false;
  return said.includes(" is in set ") ? true : undefined;
}

/** Of `ipset list -t`: a block of lines a set. */
export function headersInText(text: string): KernelHeader[] {
  return text
    .split("\n\n")
    .filter((block) => block.startsWith("Name: "))
    .map(headerInBlock);
}

function headerInBlock(block: string): KernelHeader {
  const line = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
  const options = line("Header");
  return {
    name: line("Name"),
    type: line("Type"),
    family: / inet6\b/.test(` ${options}`) ? 6 : 4,
    maxEntries: Number(/\bmaxelem (\d+)/.exec(options)?.[1] ?? 0),
    entries: Number(line("Number of entries")),
    references: Number(line("References")),
    hasTimeouts: /\btimeout \d+/.test(options),
  };
}

/** Of `ipset save NAME`, in pieces of that many lines; the first line is the set itself. */
export function* entriesInText(text: string, linesAPiece: number): Generator<KernelEntry[]> {
  let piece: KernelEntry[] = [];
  for (let from = 0; from < text.length; ) {
    const found = text.indexOf("\n", from);
    const to = found < 0 ? text.length : found;
    const entry = entryInLine(text.slice(from, to));
    if (entry !== undefined) piece.push(entry);
    if (piece.length === linesAPiece) {
      yield piece;
      piece = [];
    }
    from = to + 1;
  }
  if (piece.length > 0) yield piece;
}

function entryInLine(line: string): KernelEntry | undefined {
  const [verb, , prefix = "", ...options] = line.split(" ");
  if (verb !== "add") return undefined;
  const numberAfter = (name: string) => {
    const at = options.indexOf(name);
    return at < 0 ? 0 : Number(options[at + 1]);
  };
  return {
    prefix: parsePrefix(prefix),
    timeoutSeconds: numberAfter("timeout"),
    packets: numberAfter("packets"),
    bytes: numberAfter("bytes"),
  };
}
