/**
 * Sends what the spool holds unacknowledged, and goes on with what is appended.
 *
 * What has gathered goes in one message (one when idle); a bounded window of unacknowledged sightings keeps the
 * memory on both sides small. Nothing leaves the spool here: only an acknowledgement does that (invariant 1).
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Sighting } from "@fleetban/proto/model/sighting";
import { type AgentMessage, sightingToWire } from "@fleetban/proto/wire/fleet";

const MESSAGE_SIGHTINGS = 200;
const WINDOW_SIGHTINGS = 2_000;

export interface SpoolBatch {
  readonly incarnation: Uint8Array;
  readonly firstSeq: number;
  readonly sightings: readonly Sighting[];
}

/** Where sending stands: the last sighting sent on this stream. */
export interface SpoolPoint {
  readonly incarnation: Uint8Array;
  readonly seq: number;
}

export interface LinkSpool {
  /** What the coordinator has already; a spool from the future makes what is unacknowledged a new incarnation. */
  welcomed(acked: readonly { incarnation: Uint8Array; seq: number; act: Uint8Array }[]): Promise<void>;
  acknowledge(incarnation: Uint8Array, seq: number): Promise<void>;
  /** The next unacknowledged ones after `point`, without gap and of one incarnation; undefined = none. */
  after(point: SpoolPoint | undefined, maxItems: number): Promise<SpoolBatch | undefined>;
  /** Unacknowledged ones up to and including `point`. */
  outstanding(point: SpoolPoint | undefined): number;
  /** Resolves at the next append or acknowledgement. */
  changed(signal: AbortSignal): Promise<void>;
}

export async function sendSightings(
  spool: LinkSpool,
  clock: Clock,
  send: (message: AgentMessage) => Promise<void>,
  signal: AbortSignal,
): Promise<never> {
  let sent: SpoolPoint | undefined;
  for (;;) {
    signal.throwIfAborted();
    const changed = spool.changed(signal);
    const room = WINDOW_SIGHTINGS - spool.outstanding(sent);
    const batch = room > 0 ? await spool.after(sent, Math.min(room, MESSAGE_SIGHTINGS)) : undefined;
    if (batch === undefined) {
      await changed;
      continue;
    }
    changed.catch(() => undefined); // not waited for this time; its only rejection is the abort, seen above
    const { firstSeq, sightings } = batch;
    const incarnation = Buffer.from(batch.incarnation);
    const items = sightings.map(sightingToWire);
    await send({ kind: { $case: "sightings", value: { incarnation, firstSeq, sentAtMs: clock.nowMs(), items } } });
    sent = { incarnation, seq: firstSeq + sightings.length - 1 };
  }
}
