/**
 * Compares what fail2ban says it bans with what it has told: at the start, and again and again.
 *
 * Finds what a full disk, a missing folder or a jail without the action kept from the hand-off file, and what was
 * banned before this agent came. What is missing in two looks some seconds apart is told; what fail2ban has let go in
 * two looks minutes apart ends here too.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { type Prefix, tryParsePrefix } from "@fleetban/proto/model/prefix";
import type { SourcePosition } from "../../spool/source-position.ts";
import type { KnownBans } from "../dedupe.ts";
import type { KnownBan } from "../known-ban.ts";
import { jailName, type SeenBan, type SightingSink } from "../seen.ts";
import { readBannedLine } from "./banned-line.ts";
import { Fail2banError } from "./fail2ban-error.ts";
import { type Fail2banFacts, readFacts } from "./jail-facts.ts";
import type { Fail2banServer } from "./server.ts";

const UNREACHABLE_EVERY_MS = 10_000;
/** A ban that has just begun is on its way by the action. */
const ON_ITS_WAY_MS = 5_000;
const SOURCE = "reconcile";

export interface ReconcileParts {
  readonly server: Fail2banServer;
  readonly sink: SightingSink;
  readonly known: KnownBans;
  readonly clock: Clock;
  readonly log: Log;
  /** After each look; `undefined` = fail2ban does not answer. */
  readonly onFacts: (facts: Fail2banFacts | undefined) => void;
  /** A ban of that jail, begun while this agent looked, did not arrive by itself. */
  readonly onMissed?: (jail: string) => void;
}

export interface ReconcileSettings {
  /** `spool.positions()`. */
  readonly positions: ReadonlyMap<string, SourcePosition>;
  readonly everyMs: number;
}

/** Runs until `signal` aborts, then rejects with its reason. Begin when the hand-off file is caught up. */
export async function reconcileFail2ban(
  parts: ReconcileParts,
  { positions, everyMs }: ReconcileSettings,
  signal: AbortSignal,
): Promise<never> {
  const { clock, log } = parts;
  const begun = positions.get(SOURCE)?.value;
  const look: Look = { sinceMs: begun === undefined ? undefined : Number(begun), absent: new Set() };
  for (;;) {
    signal.throwIfAborted();
    let isReachable = true;
    try {
      const jails = await reconcileOnce(parts, look, signal);
      parts.onFacts(await readFacts(parts.server, jails));
    } catch (error) {
      signal.throwIfAborted();
      isReachable = !(error instanceof Fail2banError);
      if (isReachable)
        log.warn("sources.reconcile_failed", { error }); // the spool: its own warnable says so
      else parts.onFacts(undefined);
    }
    await clock.sleep(isReachable ? everyMs : UNREACHABLE_EVERY_MS, signal);
  }
}

interface Look {
  /** Since when this agent has been told of bans; `undefined` = it has never looked. */
  sinceMs: number | undefined;
  /** What fail2ban had let go at the look before. */
  absent: ReadonlySet<string>;
}

/** Returns the jails. */
async function reconcileOnce(parts: ReconcileParts, look: Look, signal: AbortSignal): Promise<readonly string[]> {
  const { clock, log, sink, known } = parts;
  const nowMs = clock.nowMs();
  let missing = await findMissing(parts, look);
  if (missing.length > 0 && look.sinceMs !== undefined) {
    await clock.sleep(ON_ITS_WAY_MS, signal);
    missing = await findMissing(parts, look);
  }
  const position = { source: SOURCE, file: "", value: String(look.sinceMs ?? nowMs) };
  if (missing.length > 0) log.warn("sources.missing_bans_found", { bans: missing.length, source: missing[0]?.source });
  for (const { kind, source, jail } of missing) if (kind === "ban" && source !== "import") parts.onMissed?.(jail);
  await sink.take(missing.map((seen) => ({ seen, position })));
  look.sinceMs ??= nowMs;
  const banned = await parts.server.banned();
  const present = addressesByJail(banned);
  const absent = [...known.active(nowMs)].filter((ban) => isAbsent(ban, present));
  const gone = absent.filter((ban) => look.absent.has(keyOf(ban)));
  look.absent = new Set(absent.map(keyOf));
  await sink.take([...gone.map((ban) => ({ seen: endOf(ban, clock.nowMs()), position })), { seen: NOTHING, position }]);
  return [...banned.keys()];
}

async function findMissing({ server, known, clock }: ReconcileParts, look: Look): Promise<readonly SeenBan[]> {
  const missing: SeenBan[] = [];
  for (const [jail, ids] of await server.banned()) {
    const isUnknown = (id: string): boolean => {
      const address = tryParsePrefix(id);
      return address !== undefined && !known.isActive(address, jailName(jail), clock.nowMs());
    };
    if (!ids.some(isUnknown)) continue;
    for (const line of await server.bannedWithTime(jail)) {
      const seen = seenIn(line, jail, { ...look, known, nowMs: clock.nowMs() });
      if (seen !== undefined && isUnknown(seen.address) && !known.isKnown(seen)) missing.push(seen);
    }
  }
  return missing;
}

/** What this agent may once have told and forgotten is no new strike: it comes as restored. */
function seenIn(
  line: string,
  jail: string,
  { sinceMs, known, nowMs }: { sinceMs: number | undefined; known: KnownBans; nowMs: number },
): SeenBan | undefined {
  const banned = readBannedLine(line);
  const address = banned && tryParsePrefix(banned.id);
  if (banned === undefined || address === undefined) return undefined;
  const { bannedAtMs, banSeconds } = banned;
  const isNew = sinceMs === undefined || bannedAtMs >= Math.max(sinceMs, known.forgottenBeforeMs);
  return {
    ...{ address, jail: jailName(jail), bannedAtMs, banSeconds, failures: 0, banCount: 0, atMs: nowMs },
    kind: isNew ? "ban" : "restored",
    source: sinceMs === undefined ? "import" : "fail2ban",
  };
}

const NOTHING = { kind: "nothing" } as const;

function addressesByJail(banned: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, ReadonlySet<Prefix>> {
  const addresses = (ids: readonly string[]) => new Set(ids.map(tryParsePrefix).filter((id) => id !== undefined));
  return new Map([...banned].map(([jail, ids]) => [jailName(jail), addresses(ids)]));
}

/** Told by fail2ban, of a jail that runs, and not banned there. */
function isAbsent({ timesMs, jail, address }: KnownBan, present: ReadonlyMap<string, ReadonlySet<Prefix>>): boolean {
  if (timesMs.action === undefined && timesMs.log === undefined) return false;
  return present.get(jail)?.has(address) === false;
}

function endOf({ address, jail, toldAtMs, banSeconds }: KnownBan, nowMs: number) {
  const cause = "gone" as const;
  return {
    kind: "end" as const,
    source: "fail2ban" as const,
    address,
    jail,
    bannedAtMs: toldAtMs,
    banSeconds,
    atMs: nowMs,
    cause,
  };
}

function keyOf({ address, jail, toldAtMs }: KnownBan): string {
  return `${address} ${toldAtMs} ${jail}`;
}
