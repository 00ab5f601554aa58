/**
 * Keeps one stream to a coordinator open: dials the known addresses in turn, runs a session, waits, dials again.
 *
 * Waiting is full-jitter exponential backoff that starts over only after a stream has held for a while, so that
 * a coordinator that accepts and drops is not hammered; what the coordinator asks for in Goodbye comes first.
 */
import { backoffMs } from "@fleetban/kit/backoff";
import type { Clock } from "@fleetban/kit/clock";
import { FleetbanError } from "@fleetban/kit/errors";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import { TaskGroupError } from "@fleetban/kit/task-group";
import type { Connection, Dial } from "./connection.ts";
import type { LinkState, SessionEnd } from "./state.ts";

/** A stream that held this long was a good one: the next failure is a first one again. */
const HELD_MS = 30_000;
const BACKOFF = { baseMs: 250, maxMs: 30_000 };
const DIAL_DEADLINE_MS = 10_000;
/** Whoever refuses a certificate now will hardly believe it in a second; a new enrollment is tried within this time. */
const REFUSED_WAIT_MS = 60_000;
/** What a certificate that is not believed ends with. */
export const REFUSED_CODES: readonly string[] = ["certificate-refused", "revoked"];

export interface LinkParts {
  readonly dial: Dial;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly runSession: (connection: Connection, address: string, signal: AbortSignal) => Promise<SessionEnd>;
  readonly onState: (state: LinkState) => void;
}

/** Runs until `signal` aborts, then rejects with its reason. */
export async function runLink(parts: LinkParts, configured: readonly string[], signal: AbortSignal): Promise<never> {
  const { clock, log } = parts;
  let attempt = 0;
  let turn = 0;
  let addresses = configured;
  for (;;) {
    signal.throwIfAborted();
    const address = addresses[turn % addresses.length] as string;
    parts.onState({ kind: "connecting", address, attempt });
    const begunMs = clock.monotonicMs();
    const end = await dialAndRun(parts, address, signal);
    signal.throwIfAborted();
    if (clock.monotonicMs() - begunMs >= HELD_MS) attempt = 0;
    if (end.kind === "resync" && attempt === 0) {
      attempt = 1;
      continue;
    }
    if (end.kind === "goodbye" && end.addresses.length > 0) addresses = withConfigured(end.addresses, configured);
    turn += 1;
    const why = whyOf(end);
    const isRefused = REFUSED_CODES.includes(why.code);
    const waitMs = isRefused
      ? REFUSED_WAIT_MS * (0.5 + parts.random.unit() / 2)
      : waitAfter(end, attempt, parts.random);
    attempt += 1;
    log.warn("link.ended", { address, end: end.kind, ...why, retryInMs: Math.round(waitMs) });
    parts.onState({ kind: "waiting", retryAtMs: clock.nowMs() + waitMs, attempt, ...why });
    await clock.sleep(waitMs, signal);
  }
}

async function dialAndRun(parts: LinkParts, address: string, signal: AbortSignal): Promise<SessionEnd> {
  const deadline = new AbortController();
  const timer = parts.clock.timer(DIAL_DEADLINE_MS, () => deadline.abort(new Error("no answer in time")));
  try {
    const connection = await parts.dial(address, AbortSignal.any([signal, deadline.signal]));
    timer.cancel();
    try {
      return await parts.runSession(connection, address, signal);
    } finally {
      connection.close();
    }
  } catch (cause) {
    return { kind: "lost", cause };
  } finally {
    timer.cancel();
  }
}

/** After a Goodbye with a time, somewhere within it at random, so that a whole fleet does not come back at once. */
function waitAfter(end: SessionEnd, attempt: number, random: Random): number {
  if (end.kind === "goodbye" && end.retryAfterMs > 0) return end.retryAfterMs * random.unit();
  return backoffMs(attempt, random, BACKOFF);
}

function withConfigured(told: readonly string[], configured: readonly string[]): readonly string[] {
  return [...told, ...configured.filter((address) => !told.includes(address))];
}

/** `code` for programs, `cause` for people. */
function whyOf(end: SessionEnd): { readonly code: string; readonly cause: string } {
  if (end.kind === "goodbye") return { code: end.reason, cause: `the coordinator said goodbye: ${end.reason}` };
  if (end.kind === "resync") return { code: "mirror-differs", cause: `the mirror of list ${end.list} differs` };
  const { cause } = end;
  return { code: codeOf(cause), cause: cause instanceof Error ? cause.message : String(cause) };
}

/** A task group tells what failed in it. */
function codeOf(cause: unknown): string {
  if (cause instanceof TaskGroupError) return codeOf(cause.cause);
  return cause instanceof FleetbanError ? cause.code : "stream-lost";
}
