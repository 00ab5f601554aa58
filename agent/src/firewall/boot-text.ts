/**
 * What the boot script reads: `base`, everything at one moment, and `recent`, a line a change since (PROTOCOL §6).
 *
 * Plain lines for a shell without our runtime: all `create`, then `add` exempt first, then the rules as lines for
 * iptables-restore, at last the number of lines and their SHA-256. Written in pieces: the sets change meanwhile, and
 * what changed is in `recent`, too.
 */
import { createHash } from "node:crypto";
import { prefixesOf } from "@fleetban/proto/model/sorted-columns";
import type { DenyRule, Op } from "./backend.ts";
import { secondsLeftAt } from "./entry-op.ts";
import { freshText } from "./ipset/restore-text.ts";
import { createLine } from "./ipset/set-command.ts";
import { isExempting, type KernelSet } from "./kernel-set.ts";

/** Machine's clock, because at boot there is no other. */
export interface BootMoment {
  readonly id: string;
  readonly unixSeconds: number;
}

const LINES_A_PIECE = 1_000;

export function* basePieces(
  { id, unixSeconds }: BootMoment,
  sets: readonly KernelSet[],
  rules: readonly DenyRule[],
  nowSeconds: () => number,
): Generator<Buffer> {
  const hash = createHash("sha256");
  let count = 0;
  for (const lines of chunked(baseLines(`# fleetban-boot 1 ${id} ${unixSeconds}`, sets, rules, nowSeconds))) {
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
  rules: readonly DenyRule[],
  nowSeconds: () => number,
): Generator<string> {
  yield head;
  const ordered = [...sets.filter(isExempting), ...sets.filter((set) => !isExempting(set))];
  for (const set of ordered) yield createLine(set);
  for (const set of ordered) yield* addLines(set, nowSeconds);
  for (const family of [4, 6] as const) {
    const text = freshText(rules, family, "conntrack").trimEnd();
    for (const line of text.split("\n")) yield `rule${family} ${line}`;
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
