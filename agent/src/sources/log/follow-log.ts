/**
 * The second source: fail2ban.log, for jails that do not run the action. Needs fail2ban's log level NOTICE or lower.
 *
 * At its very first start it begins at the end of the log: what was banned before is asked of fail2ban itself.
 */
import type { SourcePosition } from "../../spool/source-position.ts";
import { type FollowedRecord, type FollowParts, followFile } from "../follow/follow.ts";
import type { SightingSink, SourceItem } from "../seen.ts";
import { createLogInterpreter, type LogKnowledge } from "./interpret.ts";
import { createLineFraming } from "./line-framing.ts";

const SOURCE = "log";
const RELEASE_AFTER_MS = 3_500;
/** fail2ban writes the log line first; the action, which knows more of the ban, follows in milliseconds. */
const ACTION_FIRST_MS = 250;

export interface LogParts extends FollowParts, LogKnowledge {
  readonly sink: SightingSink;
  /** The jail runs the action, so that its bans come by the hand-off file as well. */
  readonly isHandedOver: (jail: string) => boolean;
}

export interface LogSettings {
  readonly path: string;
  /** Where the very first start begins. */
  readonly begin: "start" | "end";
  /** `spool.positions()`. */
  readonly positions: ReadonlyMap<string, SourcePosition>;
  readonly onCaughtUp?: () => void;
  readonly onLooked?: (problem: string | undefined) => void;
}

/** Runs until `signal` aborts, then rejects with its reason. */
export async function followLog(parts: LogParts, settings: LogSettings, signal: AbortSignal): Promise<never> {
  const { sink, clock, files } = parts;
  const interpreter = createLogInterpreter(parts);
  let interpreted = 0;
  let items: readonly SourceItem[] = [];

  /** Lines are interpreted once, even when they have to be given again, with what has joined them. */
  async function take(records: readonly FollowedRecord<string>[]): Promise<void> {
    const fresh = records.slice(interpreted).flatMap(interpret);
    interpreted = records.length;
    items = [...items, ...fresh];
    if (fresh.some(isTwiceTold)) await clock.sleep(ACTION_FIRST_MS, signal);
    await sink.take(items);
    interpreted = 0;
    items = [];
    if (interpreter.isHolding) releaseLater();
  }

  function interpret({ record, position }: FollowedRecord<string>): readonly SourceItem[] {
    return interpreter.read(record).map((seen) => ({ seen, position }));
  }

  function isTwiceTold({ seen }: SourceItem): boolean {
    return seen.kind === "ban" && parts.isHandedOver(seen.jail);
  }

  let isReleasing = false;
  function releaseLater(): void {
    if (isReleasing || signal.aborted) return;
    isReleasing = true;
    clock.sleep(RELEASE_AFTER_MS, signal).then(release, () => undefined); // aborted: the log is read again
  }

  function release(): void {
    isReleasing = false;
    const read = interpreter.release(clock.nowMs()).map((seen) => ({ seen, position: undefined }));
    if (interpreter.isHolding) releaseLater();
    sink.take(read).catch((error) => parts.log.warn("sources.ends_untold", { ends: read.length, error }));
  }

  return await followFile(
    parts,
    {
      ...{ ...settings, source: SOURCE, framing: createLineFraming, take },
      rotated: () => files.rotatedOf(settings.path),
      note: (position) => sink.take([{ seen: { kind: "nothing" }, position }]),
    },
    signal,
  );
}
