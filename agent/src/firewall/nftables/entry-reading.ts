/**
 * Asking the kernel for entries by their addresses: what a whole set takes that is so large that the kernel's own listing
 * of it is too dear.
 *
 * The kernel lists a set in pieces of 32 KB and counts its way to each from the set's beginning, so that a listing takes
 * time with the square of the size: 100,000 entries 2.1 s, a million 84 s. A question by address is one lookup and one
 * short answer, 0.004 ms whatever the size. It shows nothing that is not asked for.
 */
import type { Family } from "@fleetban/proto/model/prefix";
import { blankWords, type PrefixWords } from "@fleetban/proto/model/prefix-words";
import { type PrefixColumns, readPrefix, wordsOf } from "@fleetban/proto/model/sorted-columns";
import type { KernelEntry, SetName } from "../backend.ts";
import { NetlinkError } from "../ipset/netlink-socket.ts";
import { nextTurn } from "../ipset/next-turn.ts";
import type { Conversation } from "./conversation.ts";
import { type ElementSet, elementsRequest, entriesIn } from "./element.ts";
import { ERRNO, MESSAGE } from "./protocol.ts";
import { tableError } from "./table-error.ts";

/** Each is answered by a datagram of its own, 1 to 2 KB of the socket's 208 KB: all lie there when the question is put. */
const ENTRIES_A_QUESTION = 50;
/** 2 ms. */
const QUESTIONS_A_TURN = 10;

/** `targetOf`: the kernel set of that length now; undefined = the bundle has none. It is asked anew for each question. */
export async function* readEntries(
  kernel: Conversation,
  name: SetName,
  columns: PrefixColumns,
  targetOf: (length: number) => ElementSet | undefined,
): AsyncIterable<readonly KernelEntry[]> {
  let piece: KernelEntry[] = [];
  let questions = 0;
  for (const { length, rows } of rowsByLength(columns)) {
    for (let at = 0; at < rows.length; at += ENTRIES_A_QUESTION) {
      const target = targetOf(length);
      if (target === undefined) break;
      const keys = Array.from(rows.subarray(at, at + ENTRIES_A_QUESTION), (row) => keyAt(columns, row));
      piece.push(...askFor(kernel, name, target, keys, length));
      questions += 1;
      if (questions % QUESTIONS_A_TURN > 0) continue;
      if (piece.length > 0) yield piece;
      piece = [];
      await nextTurn();
    }
  }
  if (piece.length > 0) yield piece;
}

/**
 * The kernel answers one after the other up to the first that is not there, and is asked for those behind it. On a machine
 * whose sockets take less than usual it is asked for fewer.
 */
function askFor(
  kernel: Conversation,
  name: SetName,
  target: ElementSet,
  keys: readonly Uint8Array[],
  length: number,
): readonly KernelEntry[] {
  const entries: KernelEntry[] = [];
  let most = keys.length;
  for (let at = 0; at < keys.length; ) {
    const end = Math.min(keys.length, at + most);
    const elements = keys.slice(at, end).map((key) => ({ key, timeoutSeconds: 0 }));
    try {
      const errno = kernel.ask(elementsRequest(MESSAGE.getElement, 0, target, elements), (message) => {
        entries.push(...entriesIn(message, length));
        at += 1;
      });
      if (errno !== 0 && errno !== ERRNO.absent) throw tableError(`read entries of set ${name}`, errno);
      at = errno === ERRNO.absent ? at + 1 : end; // a kernel that answers less than it was asked is not asked for ever
    } catch (error) {
      if (!isOverrun(error) || most === 1) throw error;
      most = Math.ceil(most / 2);
    }
  }
  return entries;
}

function isOverrun(error: unknown): boolean {
  return error instanceof NetlinkError && error.errno === ERRNO.overrun;
}

function rowsByLength({ count, lengths }: PrefixColumns): readonly { length: number; rows: Uint32Array }[] {
  const counts = new Map<number, number>();
  for (let row = 0; row < count; row += 1) counts.set(lengths[row] ?? 0, (counts.get(lengths[row] ?? 0) ?? 0) + 1);
  const groups = new Map(Array.from(counts, ([length, size]) => [length, { rows: new Uint32Array(size), filled: 0 }]));
  for (let row = 0; row < count; row += 1) {
    const group = groups.get(lengths[row] ?? 0);
    if (group === undefined) continue;
    group.rows[group.filled] = row;
    group.filled += 1;
  }
  return Array.from(groups, ([length, { rows }]) => ({ length, rows }));
}

function keyAt(columns: PrefixColumns, row: number): Uint8Array {
  const words = blankWords();
  readPrefix(columns, row, words);
  return keyOf(words, columns.family);
}

function keyOf({ a, b, c, d }: PrefixWords, family: Family): Uint8Array {
  const key = new DataView(new ArrayBuffer(4 * wordsOf(family)));
  for (const [index, word] of [a, b, c, d].slice(0, wordsOf(family)).entries()) key.setUint32(4 * index, word);
  return new Uint8Array(key.buffer);
}
