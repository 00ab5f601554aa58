/**
 * One connection: JSON lines in, for each line one line back, in order. `{"ok":true}` = it is durable.
 *
 * A line that can't be read is answered and the next one is read; a line that never ends, or one left half, ends the
 * connection with an answer that says so.
 */
import type { Clock } from "@fleetban/kit/clock";
import { FleetbanError } from "@fleetban/kit/errors";
import type { Seen, SightingSink } from "../seen.ts";
import type { SocketConnection } from "./connection.ts";
import { readRequest } from "./request.ts";

export const LINE_MAX_BYTES = 4_096;
const IDLE_MS = 60_000;
const LINE_FEED = 0x0a;

export interface ConversationParts {
  readonly sink: SightingSink;
  readonly clock: Clock;
}

export async function converse(
  parts: ConversationParts,
  connection: SocketConnection,
  signal: AbortSignal,
): Promise<void> {
  const pieces = connection.pieces[Symbol.asyncIterator]();
  let pending: Buffer = Buffer.alloc(0);
  try {
    for (;;) {
      const piece = await nextPiece(parts.clock, pieces, signal);
      if (piece === "idle") return await connection.write(refused(`nothing for ${IDLE_MS / 1_000} s; connect again`));
      if (piece === undefined) break;
      const lines: Buffer[] = [];
      pending = cutLines(Buffer.concat([pending, piece]), lines);
      for (const answer of await answersTo(parts, lines)) await connection.write(answer);
      const isTooLong = pending.length > LINE_MAX_BYTES;
      if (isTooLong)
        return await connection.write(refused(`a line of over ${LINE_MAX_BYTES} bytes; end each with a line feed`));
    }
    if (pending.length > 0)
      await connection.write(refused("the last line is not ended by a line feed; it was not taken"));
  } finally {
    connection.end();
  }
}

/** `undefined` = the other side has said all. */
async function nextPiece(
  clock: Clock,
  pieces: AsyncIterator<Buffer>,
  signal: AbortSignal,
): Promise<Buffer | "idle" | undefined> {
  const enough = new AbortController();
  const idle = clock.sleep(IDLE_MS, AbortSignal.any([signal, enough.signal])).then(() => "idle" as const);
  idle.catch(() => undefined); // the piece came first
  try {
    const next = await Promise.race([pieces.next(), idle]);
    if (next === "idle") return next;
    return next.done === true ? undefined : next.value;
  } finally {
    enough.abort();
  }
}

/** Returns what is left behind the last line feed. */
function cutLines(bytes: Buffer, lines: Buffer[]): Buffer {
  let begin = 0;
  for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, begin)) {
    lines.push(bytes.subarray(begin, end));
    begin = end + 1;
  }
  return bytes.subarray(begin);
}

/** What came in one piece shares one sync. */
async function answersTo({ sink, clock }: ConversationParts, lines: readonly Buffer[]): Promise<readonly string[]> {
  const readings = lines.filter((line) => line.length > 0).map((line) => read(line, clock.nowMs()));
  const seen = readings.filter((reading) => typeof reading !== "string");
  const outcome = seen.length === 0 ? OK : await taken(sink, seen);
  return readings.map((reading) => (typeof reading === "string" ? reading : outcome));
}

const OK = `${JSON.stringify({ ok: true })}\n`;

function read(line: Buffer, nowMs: number): Seen | string {
  if (line.length > LINE_MAX_BYTES)
    return refused(`a line of ${line.length} bytes; at most ${LINE_MAX_BYTES} are read`);
  try {
    return readRequest(line.toString("utf8"), nowMs);
  } catch (error) {
    if (error instanceof FleetbanError) return refused(error.message);
    throw error;
  }
}

async function taken(sink: SightingSink, seen: readonly Seen[]): Promise<string> {
  try {
    await sink.take(seen.map((one) => ({ seen: one, position: undefined })));
    return OK;
  } catch (error) {
    if (error instanceof FleetbanError) return refused(`${error.message}; it was not taken, try again`);
    throw error;
  }
}

export function refused(error: string): string {
  return `${JSON.stringify({ ok: false, error })}\n`;
}
