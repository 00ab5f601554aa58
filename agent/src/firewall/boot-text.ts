/**
 * What the boot script reads: `base`, everything at one moment, and `recent`, a line a change since (PROTOCOL §6).
 *
 * Plain lines for a shell without our runtime: the backend's name, all `create`, then `add` exempt first, then the rules as
 * lines for iptables-restore or nft, at last the number of lines and their SHA-256. Written in pieces: the sets change
 * meanwhile, and what changed is in `recent`, too.
 */
import { createHash } from "node:crypto";
import { prefixesOf } from "@fleetban/proto/model/sorted-columns";
import type { DenyRule, Op } from "./backend.ts";
import type { BootLines } from "./boot-lines.ts";
import { secondsLeftAt } from "./entry-op.ts";
import type { EntryHook } from "./ipset/rule-text.ts";
import { isExempting, type KernelSet } from "./kernel-set.ts";

/** Machine's clock, because at boot there is no other. */
export interface BootMoment {
  readonly id: string;
  readonly unixSeconds: number;
}

/** The rules, and where they stand. */
export interface BootRules {
  readonly lines: BootLines;
  readonly rules: readonly DenyRule[];
  readonly hook: EntryHook;
}

const LINES_A_PIECE = 1_000;

export function* basePieces(
  { id, unixSeconds }: BootMoment,
  sets: readonly KernelSet[],
  ruled: BootRules,
  nowSeconds: () => number,
): Generator<Buffer> {
  const hash = createHash("sha256");
  let count = 0;
  const head = `# fleetban-boot 1 ${id} ${unixSeconds} ${ruled.lines.backend}`;
  for (const lines of chunked(baseLines(head, sets, ruled, nowSeconds))) {
    const piece = Buffer.from(`${lines.join("\n")}\n`);
    hash.update(piece);
    count += lines.length;
    yield piece;
  }
  yield Buffer.from(`sum ${count} ${hash.digest("hex")}\n`);
}

export function recentHead({ id }: BootMoment): string {
  return `# recent ${id}\n`;
}

/** The full stop proves that a line is whole. */
export function recentLine(op: Op, unixSeconds: number): string {
  if (op.kind === "remove") return `del ${op.set} ${op.prefix} .\n`;
  return `add ${op.set} ${op.prefix} ${op.timeoutSeconds} ${unixSeconds} .\n`;
}

function* baseLines(
  head: string,
  sets: readonly KernelSet[],
  { lines, rules, hook }: BootRules,
  nowSeconds: () => number,
): Generator<string> {
  yield head;
  const ordered = [...sets.filter(isExempting), ...sets.filter((set) => !isExempting(set))];
  for (const set of ordered) yield lines.create(set);
  for (const set of ordered) yield* addLines(set, nowSeconds);
  for (const family of [4, 6] as const) {
    for (const line of lines.rules(rules, family, hook)) yield `rule${family} ${line}`;
  }
}

function* addLines(set: KernelSet, nowSeconds: () => number): Generator<string> {
  for (const prefix of prefixesOf([set.entries.columns()])) {
    const left = secondsLeftAt(set.entries.endOf(prefix), nowSeconds());
    if (left === undefined || left < 1) continue;
    yield `add ${set.name} ${prefix} timeout ${left === Number.POSITIVE_INFINITY ? 0 : Math.floor(left)}`;
  }
}

function* chunked(lines: Iterable<string>): Generator<string[]> {
  let piece: string[] = [];
  for (const line of lines) {
    piece.push(line);
    if (piece.length < LINES_A_PIECE) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}
