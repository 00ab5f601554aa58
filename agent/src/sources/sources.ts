/**
 * Joins the sources of this machine as the configuration wants them: all tell the one intake, which knows a ban again
 * whoever tells it.
 *
 * fail2ban is asked for missed bans once the hand-off file is caught up, so that what is on its way is not missed.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Spool } from "../spool/spool.ts";
import type { KnownBans, LocalAct } from "./dedupe.ts";
import type { AskedUnbans } from "./fail2ban/asked-unbans.ts";
import { followHandoff } from "./fail2ban/handoff.ts";
import { createHearing, type HearingFaults } from "./fail2ban/hearing.ts";
import type { Fail2banFacts } from "./fail2ban/jail-facts.ts";
import { reconcileFail2ban } from "./fail2ban/reconcile.ts";
import type { Fail2banServer } from "./fail2ban/server.ts";
import type { SourceFiles } from "./follow/files.ts";
import { createIntake, type Intake, type IntakeSpool } from "./intake.ts";
import { followLog } from "./log/follow-log.ts";
import type { LocalResult } from "./seen.ts";
import type { ListenUnix } from "./socket/connection.ts";
import type { SocketDesk } from "./socket/conversation.ts";
import { liftByHand } from "./socket/lift-by-hand.ts";
import { serveSocket } from "./socket/socket.ts";

export interface SourceParts {
  readonly files: SourceFiles;
  readonly listen: ListenUnix;
  /** Absent = this machine's fail2ban is not asked. */
  readonly server: Fail2banServer | undefined;
  readonly asked: AskedUnbans;
  readonly spool: Spool;
  readonly known: KnownBans;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly local: (act: LocalAct) => LocalResult | undefined;
  /** What the socket is told of an address beside its bans. */
  readonly desk: Pick<SocketDesk, "refusalOf" | "listedOn">;
  /** After each append; `undefined` = it is durable. */
  readonly onSpooled: (failure: unknown) => void;
  /** After fail2ban was asked. */
  readonly onAsked: (isAnswered: boolean) => void;
  readonly onFaults: (faults: HearingFaults) => void;
}

/** Paths; empty = off. */
export interface SourceSettings {
  readonly handoff: string;
  readonly log: string;
  readonly socket: string;
  /** How often fail2ban is asked what it bans. */
  readonly compareEveryMs: number;
  /** How long a jail's log may stand still. */
  readonly quietAfterMs: number;
}

type Loop = (signal: AbortSignal) => Promise<never>;

export interface Sources {
  readonly intake: Intake;
  readonly tasks: Readonly<Record<string, Loop>>;
}

export function createSources(parts: SourceParts, settings: SourceSettings): Sources {
  const { spool, known, clock, log, server } = parts;
  const intake = createIntake({ spool: watched(spool, parts.onSpooled), known, clock, log, local: parts.local });
  const positions = spool.positions();
  const isAsked = parts.asked.has;
  const hearing = createHearing(parts, settings);
  const caughtUp = Promise.withResolvers<void>();
  let banSeconds: ReadonlyMap<string, number> = new Map();
  let leftOut: readonly string[] | undefined;
  const tasks: Record<string, Loop> = {};

  if (settings.handoff === "") caughtUp.resolve();
  else {
    tasks.handoff = (signal) => {
      const handoff = { path: settings.handoff, positions, onCaughtUp: caughtUp.resolve };
      return followHandoff({ ...parts, sink: intake, isAsked, onHeard: hearing.heard }, handoff, signal);
    };
  }
  if (settings.log !== "") {
    const banSecondsOf = (jail: string) => banSeconds.get(jail) ?? 0;
    // Before fail2ban was asked nobody knows: the log then tells at once.
    const isHandedOver = (jail: string) => settings.handoff !== "" && leftOut?.includes(jail) === false;
    const following = { path: settings.log, begin: "end", positions, onLooked: hearing.logIs } as const;
    tasks.log = (signal) =>
      followLog({ ...parts, sink: intake, isAsked, banSecondsOf, isHandedOver }, following, signal);
  }
  if (settings.socket !== "") {
    const lift = (address: Prefix) => liftByHand({ sink: intake, known, server }, address, clock.nowMs());
    const socketParts = { listen: parts.listen, sink: intake, desk: { ...parts.desk, lift }, clock, log };
    tasks.socket = (signal) => serveSocket(socketParts, settings.socket, signal);
  }
  if (server !== undefined) {
    const onFacts = (facts: Fail2banFacts | undefined) => {
      banSeconds = facts?.banSeconds ?? banSeconds;
      leftOut = facts?.jailsLeftOut ?? leftOut;
      if (facts !== undefined) hearing.looked(facts);
      parts.onAsked(facts !== undefined);
    };
    const asking = { server, sink: intake, known, clock, log, onFacts, onMissed: hearing.missed };
    tasks.fail2ban = async (signal) => {
      await Promise.race([caughtUp.promise, rejectedBy(signal)]);
      return await reconcileFail2ban(asking, { positions, everyMs: settings.compareEveryMs }, signal);
    };
  }
  return { intake, tasks };
}

function watched(spool: Spool, onSpooled: (failure: unknown) => void): IntakeSpool {
  return {
    note: (position) => spool.note(position),
    async append(entries) {
      try {
        await spool.append(entries);
        onSpooled(undefined);
      } catch (error) {
        onSpooled(error);
        throw error;
      }
    },
  };
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
