/**
 * Finds the records in the hand-off file that fail2ban's action writes (deploy/fail2ban/action.d/fleetban.conf).
 *
 * A record is fields that end in NUL, the first a mark, which says how many there are, the last another. No value holds
 * a NUL, so a record that begins with the one and has the other in its place is whole. Where it is not (a torn record, a
 * full disk, somebody else's bytes) reading goes on at the next mark: a following good record is never lost, a bad one
 * never half believed.
 */
import type { Framed, Framing } from "../follow/framing.ts";

/** A server may have the action of an earlier fleetban: its records are shorter. */
const FIELDS_BY_MARK: ReadonlyMap<string, number> = new Map([
  ["FLEETBAN1", 12],
  ["FLEETBAN2", 15],
]);
const MARK = Buffer.from("FLEETBAN");
const END_FIELD = "END";
/** What happened, in the action's words. Another word there: a jail's name or the like, behind a value that is a mark. */
const KINDS: ReadonlySet<string> = new Set(["start", "flush", "stop", "ban", "prolong", "unban"]);
/** The action's records are below 4096 bytes; what has not ended by twice that is none. */
const RECORD_MAX_BYTES = 8_192;
const NUL = 0;

export type HandoffFields = readonly string[];

export function createHandoffFraming(offset: number): Framing<HandoffFields> {
  let pending: Buffer = Buffer.alloc(0);
  let end = offset; // of what was cut off from `pending`

  function drop(bytes: number): void {
    pending = pending.subarray(bytes);
    end += bytes;
  }

  return {
    push(bytes) {
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      const records: Framed<HandoffFields>[] = [];
      for (;;) {
        drop(markAt(pending));
        const found = readRecord(pending);
        if (found === "incomplete") break;
        if (found === "damaged") {
          drop(1);
          continue;
        }
        drop(found.bytes);
        records.push({ record: found.fields, end });
      }
      pending = Buffer.from(pending); // a copy: the rest of the chunk may go
      return records;
    },
  };
}

/** Where the first mark begins, or could begin with the bytes to come. */
function markAt(bytes: Buffer): number {
  const at = bytes.indexOf(MARK);
  if (at >= 0) return at;
  for (let length = Math.min(MARK.length - 1, bytes.length); length > 0; length -= 1) {
    const tail = bytes.length - length;
    if (bytes.subarray(tail).equals(MARK.subarray(0, length))) return tail;
  }
  return bytes.length;
}

function readRecord(bytes: Buffer): { fields: HandoffFields; bytes: number } | "incomplete" | "damaged" {
  const fields: string[] = [];
  let begin = 0;
  let count = 1;
  while (fields.length < count) {
    const end = bytes.indexOf(NUL, begin);
    if (end < 0 || end > RECORD_MAX_BYTES) return bytes.length > RECORD_MAX_BYTES ? "damaged" : "incomplete";
    fields.push(bytes.toString("utf8", begin, end));
    begin = end + 1;
    count = FIELDS_BY_MARK.get(fields[0] ?? "") ?? 0;
  }
  const isWhole = fields.length === count && fields.at(-1) === END_FIELD && KINDS.has(fields[1] ?? "");
  return isWhole ? { fields, bytes: begin } : "damaged";
}
