/**
 * Whether this agent hears what fail2ban does, jail by jail: a source that says nothing looks like a quiet day.
 *
 * It is judged by what got through, not by what is configured: a ban that only asking fail2ban has brought to light; a
 * newest ban that is not in the log that is followed; a jail whose log stands still while those of others grow.
 */
import type { Clock } from "@fleetban/kit/clock";
import { formatDuration } from "@fleetban/kit/duration";
import type { KnownBans } from "../dedupe.ts";
import type { SourceFiles } from "../follow/files.ts";
import { jailName } from "../seen.ts";
import type { Fail2banFacts } from "./jail-facts.ts";

export const HEARING_FAULTS = ["jail-left-out", "jail-unheard", "jail-deaf", "log-unreadable", "log-silent"] as const;
export type HearingFault = (typeof HEARING_FAULTS)[number];
/** What is wrong, with the facts of the case. */
export type HearingFaults = ReadonlyMap<HearingFault, string>;

export interface HearingParts {
  readonly files: Pick<SourceFiles, "changedAtMs">;
  readonly known: Pick<KnownBans, "active">;
  readonly clock: Clock;
  readonly onFaults: (faults: HearingFaults) => void;
}

export interface HearingSettings {
  /** Empty = not followed. */
  readonly handoff: string;
  readonly log: string;
  /** How long a jail's log may stand still. */
  readonly quietAfterMs: number;
}

export interface Hearing {
  /** The action of that jail has written something. */
  heard(jail: string): void;
  /** Bans of that jail, begun while this agent looked, were found by asking. */
  missed(jail: string): void;
  /** Of the log that is followed; `undefined` = it can be read. */
  logIs(problem: string | undefined): void;
  /** fail2ban was asked how it is set. */
  looked(facts: Fail2banFacts): void;
}

/** A log tells a ban within milliseconds; the agent looks each second. */
const LOG_LAG_MS = 10_000;

export function createHearing(parts: HearingParts, settings: HearingSettings): Hearing {
  const unheard = new Set<string>();
  const startedAtMs = parts.clock.nowMs();
  let facts: Fail2banFacts | undefined;
  let logProblem: string | undefined;

  function judge(): void {
    const faults: (readonly [HearingFault, string | undefined])[] = [
      ["jail-left-out", leftOut()],
      ["jail-unheard", namesOf([...unheard].filter((jail) => facts?.jailsLeftOut.includes(jail) !== true))],
      ["jail-deaf", facts && deafJails(facts)],
      ["log-unreadable", logProblem],
      ["log-silent", settings.log === "" ? undefined : silence()],
    ];
    parts.onFaults(new Map(faults.flatMap(([fault, detail]) => (detail === undefined ? [] : [[fault, detail]]))));
  }

  /** What the log tells needs no action. */
  function leftOut(): string | undefined {
    return settings.handoff === "" || settings.log !== "" ? undefined : namesOf(facts?.jailsLeftOut ?? []);
  }

  function silence(): string | undefined {
    if (facts?.isLogSilent === true) return "its log level is above NOTICE";
    const nowMs = parts.clock.nowMs();
    const told = [...parts.known.active(nowMs)].filter(({ timesMs, toldAtMs }) => {
      const isOfFail2ban = timesMs.action !== undefined || timesMs.log !== undefined;
      return isOfFail2ban && toldAtMs > startedAtMs && toldAtMs < nowMs - LOG_LAG_MS;
    });
    const newest = told.reduce<(typeof told)[number] | undefined>(
      (a, b) => (a !== undefined && a.toldAtMs > b.toldAtMs ? a : b),
      undefined,
    );
    if (newest === undefined || newest.timesMs.log !== undefined) return undefined;
    return `the ban of ${newest.address} by ${newest.jail} is not in it; fail2ban logs to ${facts?.logtarget ?? "(unknown)"}`;
  }

  function deafJails({ logs }: Fail2banFacts): string | undefined {
    const sinceMs = parts.clock.nowMs() - settings.quietAfterMs;
    const changed = [...logs].map(([jail, paths]) => {
      const times = paths.map((path) => parts.files.changedAtMs(path)).filter((atMs) => atMs !== undefined);
      return { jail, paths, changedAtMs: times.length === 0 ? undefined : Math.max(...times) };
    });
    const reading = changed.filter(({ paths }) => paths.length > 0); // others read the journal
    const doOthersGrow = reading.some(({ changedAtMs = 0 }) => changedAtMs >= sinceMs);
    const deaf = reading.flatMap(({ jail, paths, changedAtMs }) => {
      if (changedAtMs === undefined) return [`${jail}: ${paths.join(", ")} can't be found`];
      if (!doOthersGrow || changedAtMs >= sinceMs) return [];
      return [`${jail}: ${paths.join(", ")} has not grown for ${formatDuration(settings.quietAfterMs / 1_000)}`];
    });
    return namesOf(deaf);
  }

  return {
    heard(jail) {
      if (unheard.delete(jailName(jail))) judge();
    },
    missed(jail) {
      if (settings.handoff !== "") unheard.add(jail);
    },
    logIs(problem) {
      if (problem === logProblem) return;
      logProblem = problem;
      judge();
    },
    looked(now) {
      facts = now;
      judge();
    },
  };
}

function namesOf(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : names.join(", ");
}
