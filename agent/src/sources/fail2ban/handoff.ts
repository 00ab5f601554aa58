/**
 * The preferred source: what fail2ban's action appends to the hand-off file, in the spool a moment later.
 *
 * The file is read even when no coordinator answers, and rotated here, so that it stays small: renamed, read to its end
 * once nobody can be writing to it any more, removed when all of it is durable.
 */
import type { SourcePosition } from "../../spool/source-position.ts";
import { type FollowParts, followFile } from "../follow/follow.ts";
import type { SightingSink } from "../seen.ts";
import { createHandoffFraming } from "./handoff-framing.ts";
import { type IsAsked, seenInHandoff } from "./handoff-record.ts";

const SOURCE = "handoff";
const ROTATE_BYTES = 1 << 20;

export interface HandoffSettings {
  readonly path: string;
  /** `spool.positions()`. */
  readonly positions: ReadonlyMap<string, SourcePosition>;
  readonly onCaughtUp?: () => void;
}

export interface HandoffParts extends FollowParts {
  readonly sink: SightingSink;
  readonly isAsked: IsAsked;
  /** The action of that jail has written a record, of whatever kind. */
  readonly onHeard?: (jail: string) => void;
}

/** Runs until `signal` aborts, then rejects with its reason. */
export function followHandoff(parts: HandoffParts, settings: HandoffSettings, signal: AbortSignal): Promise<never> {
  const { sink, isAsked, onHeard } = parts;
  const rotation = { bytes: ROTATE_BYTES, path: `${settings.path}.old` };
  return followFile(
    parts,
    {
      ...{ ...settings, source: SOURCE, begin: "start", framing: createHandoffFraming, rotation },
      rotated: () => [rotation.path],
      isTakenAtOnce: true,
      take: (records) =>
        sink.take(
          records.map(({ record, position, writtenByMs }) => {
            onHeard?.(record[2] ?? "");
            return { seen: seenInHandoff(record, writtenByMs, isAsked), position };
          }),
        ),
      note: (position) => sink.take([{ seen: { kind: "nothing" }, position }]),
    },
    signal,
  );
}
