/**
 * Carries pardons into this server's fail2ban: asks what it bans and lifts what an exempt list pardons.
 *
 * Runs after each change of an exempt list, at start and when fail2ban restores bans. One run at a time; a call during
 * a run leads to one more, so the newest mirror is always what counts.
 */
import type { Log } from "@fleetban/kit/log";
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { type LocalBan, planLifts } from "./plan-lifts.ts";

export interface BanSource {
  bans(): Promise<readonly LocalBan[]>;
  /** In all jails. */
  unban(addresses: readonly Prefix[]): Promise<void>;
}

export interface LiftParts {
  readonly source: BanSource;
  readonly exempt: () => readonly Blocklist[];
  readonly now: () => UnixSeconds;
  readonly log: Log;
  /** undefined = the source answered. */
  readonly onAnswer: (failure: unknown) => void;
}

/** Returns what to call when something may have to be lifted; never rejects. */
export function createPardonLifter(parts: LiftParts): () => Promise<void> {
  let running: Promise<void> | undefined;
  let again = false;

  async function liftUntilDone(): Promise<void> {
    do {
      again = false;
      await liftOnce(parts);
    } while (again);
    running = undefined;
  }

  return () => {
    again = running !== undefined;
    running ??= liftUntilDone();
    return running;
  };
}

async function liftOnce({ source, exempt, now, log, onAnswer }: LiftParts): Promise<void> {
  const lists = exempt().filter(({ size }) => size > 0);
  if (lists.length === 0) return;
  try {
    const addresses = planLifts(await source.bans(), lists, now());
    onAnswer(undefined);
    if (addresses.length === 0) return;
    await source.unban(addresses);
    log.info("pardons.lifted", { addresses });
  } catch (error) {
    onAnswer(error);
    log.warn("pardons.lift_failed", { error });
  }
}
