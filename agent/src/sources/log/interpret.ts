/** From lines of fail2ban.log to what was seen. The log knows neither failures nor, at first, how long a ban is. */
import { tryParsePrefix } from "@fleetban/proto/model/prefix";
import type { IsAsked } from "../fail2ban/handoff-record.ts";
import { jailName, type Seen, type SeenBan, type SeenEnd } from "../seen.ts";
import { HeldEnds } from "./held-ends.ts";
import { type LogLine, readLogLine } from "./log-line.ts";

export interface LogKnowledge {
  /** The jail's ban time; 0 = unknown. */
  readonly banSecondsOf: (jail: string) => number;
  readonly isAsked: IsAsked;
}

export interface LogInterpreter {
  /** In order; what is held back comes with a later line or by `release`. */
  read(line: string): readonly Seen[];
  release(nowMs: number): readonly Seen[];
  readonly isHolding: boolean;
}

const NOTHING: Seen = { kind: "nothing" };

export function createLogInterpreter(knowledge: LogKnowledge): LogInterpreter {
  const held = new HeldEnds();
  let lastMs: number | undefined;

  return {
    read(text) {
      const line = readLogLine(text, lastMs);
      if (line === undefined) return [NOTHING];
      lastMs = line.atMs;
      if (line.kind === "stop") {
        held.stopped(line.jail && jailName(line.jail), line.atMs);
        return [...held.release(line.atMs), NOTHING];
      }
      if (line.kind === "start") {
        held.started(line.jail && jailName(line.jail), line.atMs);
        return [NOTHING];
      }
      const seen = seenInLine(line, knowledge);
      if (seen.kind === "end") held.hold(seen);
      const begun = seen.kind === "ban" || seen.kind === "restored" ? held.releaseOf(seen) : [];
      return [...held.release(line.atMs), ...begun, seen.kind === "end" ? NOTHING : seen];
    },
    release: (nowMs) => held.release(nowMs),
    get isHolding() {
      return !held.isEmpty;
    },
  };
}

function seenInLine(
  line: Exclude<LogLine, { kind: "stop" | "start" }>,
  knowledge: LogKnowledge,
): SeenBan | SeenEnd | Seen {
  const address = tryParsePrefix(line.id);
  if (address === undefined) return { kind: "junk", source: "log" };
  const jail = jailName(line.jail);
  const seen = { source: "log" as const, address, jail, atMs: line.atMs };
  switch (line.kind) {
    case "end":
      return {
        ...seen,
        kind: "end",
        bannedAtMs: undefined,
        banSeconds: 0,
        cause: knowledge.isAsked(address) ? "asked" : "time-or-hand",
      };
    case "prolong":
      return {
        ...{ ...seen, kind: "prolong", bannedAtMs: undefined, banSeconds: -1, failures: 0, banCount: line.banCount },
        ...(line.untilMs === undefined ? {} : { untilMs: line.untilMs }),
      };
    case "ban":
      return {
        ...seen,
        kind: "ban",
        bannedAtMs: line.atMs,
        banSeconds: knowledge.banSecondsOf(line.jail),
        failures: 0,
        banCount: 0,
      };
    case "restored":
      // When it was banned first the log does not say here, nor how much is left.
      return { ...seen, kind: "restored", bannedAtMs: line.atMs, banSeconds: 0, failures: 0, banCount: 0 };
  }
}
