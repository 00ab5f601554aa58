/**
 * One connection: JSON lines in, for each line one line back, in order. `{"ok":true}` = it is durable.
 *
 * A line that can't be read is answered and the next one is read; a line that never ends, or one left half, ends the
 * connection with an answer that says so.
 */
import type { Clock } from "@fleetban/kit/clock";
import { FleetbanError } from "@fleetban/kit/errors";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { SightingSink, SourceItem } from "../seen.ts";
import { banAnswer, lineOf, refused, type SocketAnswer } from "./answer.ts";
import type { SocketConnection } from "./connection.ts";
import type { Lifted } from "./lift-by-hand.ts";
import { readRequest, type SocketRequest } from "./request.ts";

export const LINE_MAX_BYTES = 4_096;
const IDLE_MS = 60_000;
const LINE_FEED = 0x0a;

/** What the rest of the agent knows of an address, and does for it. */
export interface SocketDesk {
  /** Why it would not be enforced here, for people. */
  refusalOf(address: Prefix): string | undefined;
  lift(address: Prefix): Promise<Lifted>;
  /** Names of the lists that it stands on. */
  listedOn(address: Prefix): readonly string[];
}

export interface ConversationParts {
  readonly sink: SightingSink;
  readonly desk: SocketDesk;
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
      if (piece === "idle")
        return await connection.write(lineOf(refused(`nothing for ${IDLE_MS / 1_000} s; connect again`)));
      if (piece === undefined) break;
      const lines: Buffer[] = [];
      pending = cutLines(Buffer.concat([pending, piece]), lines);
      for (const answer of await answersTo(parts, lines)) await connection.write(answer);
      const isTooLong = pending.length > LINE_MAX_BYTES;
      if (isTooLong)
        return await connection.write(
          lineOf(refused(`a line of over ${LINE_MAX_BYTES} bytes; end each with a line feed`)),
        );
    }
    if (pending.length > 0)
      await connection.write(lineOf(refused("the last line is not ended by a line feed; it was not taken")));
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

/** In order. Sightings that came in one piece share one sync; what is asked is asked when they are durable. */
async function answersTo(parts: ConversationParts, lines: readonly Buffer[]): Promise<readonly string[]> {
  const readings = lines.filter((line) => line.length > 0).map((line) => read(line, parts));
  const told = await tell(
    parts,
    readings.filter((reading) => reading.kind === "tell"),
  );
  const answers: string[] = [];
  for (const reading of readings) {
    if (reading.kind === "refused") answers.push(lineOf(reading.answer));
    else if (reading.kind === "tell") answers.push(lineOf(told.get(reading) ?? OK));
    else answers.push(lineOf(await answerOrRefuse(() => ask(parts, reading))));
  }
  return answers;
}

type Reading = SocketRequest | { readonly kind: "refused"; readonly answer: SocketAnswer };
type Telling = Extract<SocketRequest, { kind: "tell" }>;

const OK: SocketAnswer = { ok: true };

function read(line: Buffer, { clock, desk }: ConversationParts): Reading {
  if (line.length > LINE_MAX_BYTES) {
    return { kind: "refused", answer: refused(`a line of ${line.length} bytes; at most ${LINE_MAX_BYTES} are read`) };
  }
  try {
    const request = readRequest(line.toString("utf8"), clock.nowMs());
    const isBan = request.kind === "tell" && request.isStrict && request.seen.kind === "ban";
    const refusal = isBan ? desk.refusalOf(request.address) : undefined;
    if (refusal === undefined) return request;
    return { kind: "refused", answer: refused(`${request.address} is not banned: ${refusal}`) };
  } catch (error) {
    if (error instanceof FleetbanError) return { kind: "refused", answer: refused(error.message) };
    throw error;
  }
}

async function tell({ sink }: ConversationParts, tellings: readonly Telling[]): Promise<Map<Telling, SocketAnswer>> {
  const answers = new Map<Telling, SocketAnswer>();
  const items = tellings.map((telling): SourceItem => {
    const { seen, isStrict } = telling;
    if (!isStrict) return { seen, position: undefined };
    return { seen, position: undefined, onJudged: (told, local) => answers.set(telling, banAnswer(told, local)) };
  });
  if (items.length === 0) return answers;
  const failure = await answerOrRefuse(async () => {
    await sink.take(items);
    return OK;
  });
  return failure.ok ? answers : new Map(tellings.map((telling) => [telling, failure]));
}

async function ask({ desk }: ConversationParts, { kind, address }: Exclude<SocketRequest, Telling>) {
  if (kind === "lift") return { ok: true as const, ...(await desk.lift(address)), listed: desk.listedOn(address) };
  const refusal = desk.refusalOf(address);
  return refusal === undefined ? OK : { ok: true as const, refused: refusal };
}

async function answerOrRefuse(answer: () => Promise<SocketAnswer>): Promise<SocketAnswer> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof FleetbanError) return refused(`${error.message}; it was not taken, try again`);
    throw error;
  }
}
