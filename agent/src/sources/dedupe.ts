/**
 * One ban is one sighting, whichever sources see it and however often they repeat it (invariant 1).
 *
 * Remembers the newest bans by address. Each `judge` says what of it is news for the coordinator and what it means for
 * this machine; `undo` takes it back when the news could not be made durable. After a restart the memory is seeded with
 * what the spool has kept, so that a log read once more tells nothing twice.
 */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { actOf, type Sighting, type SightingKind } from "@fleetban/proto/model/sighting";
import { clockworkOf, endedBan, endMs, isOver, type KnownBan, sameBan } from "./known-ban.ts";
import type { SeenBan, SeenEnd } from "./seen.ts";

/** What a ban or its end means for this machine's own kernel. */
export type LocalAct =
  | {
      readonly kind: "banned";
      readonly how: SeenBan["kind"];
      readonly address: Prefix;
      readonly jail: string;
      readonly bannedAtMs: number;
      /** Until the last ban of this address ends, whichever jail's; -1 = for ever. */
      readonly secondsLeft: number;
    }
  /** No jail of this machine bans it any more. */
  | { readonly kind: "ended"; readonly address: Prefix };

export interface Judgement {
  readonly told: Sighting | undefined;
  readonly local: LocalAct | undefined;
  readonly undo: () => void;
}

const ADDRESSES_MAX = 16_384;
const BANS_PER_ADDRESS_MAX = 16;
/** Ends that differ by less are the same: sources round their times to seconds. */
const SAME_END_MS = 2_000;
/** fail2ban never lifts a ban before its end, but its times are rounded. */
const EARLY_MS = 1_500;
/** Where no source knows a ban's length: fail2ban's own default. */
const UNKNOWN_BAN_SECONDS = 600;
const EVIDENCE_MAX_BYTES = 1_024;

export class KnownBans {
  readonly #bans = new Map<Prefix, readonly KnownBan[]>();
  #forgottenBeforeMs: number;

  /** Of sightings recorded before `forgottenBeforeMs` some may be missing in `recent`. */
  constructor(recent: readonly Sighting[], forgottenBeforeMs: number) {
    this.#forgottenBeforeMs = forgottenBeforeMs;
    for (const sighting of recent) this.#seed(sighting);
  }

  judge(seen: SeenBan | SeenEnd, nowMs: number): Judgement {
    const before = this.#bans.get(seen.address);
    const { told, bans } = seen.kind === "end" ? this.#judgeEnd(seen, nowMs) : this.#judgeBan(seen, nowMs);
    this.#put(seen.address, bans);
    const undo = () => (before === undefined ? this.#bans.delete(seen.address) : this.#bans.set(seen.address, before));
    return { told, local: localAct(seen, bans, nowMs), undo };
  }

  isKnown(seen: SeenBan): boolean {
    return sameBan(this.#of(seen), seen) !== undefined;
  }

  isActive(address: Prefix, jail: string, nowMs: number): boolean {
    return this.#of({ address, jail }).some((ban) => !isOver(ban, nowMs));
  }

  /** What bans the address now, as far as it was told. */
  jailsOf(address: Prefix, nowMs: number): readonly string[] {
    const active = (this.#bans.get(address) ?? []).filter((ban) => !isOver(ban, nowMs));
    return [...new Set(active.map(({ jail }) => jail))];
  }

  /** Of bans before this moment some may be unknown though they were told; 0 = none are. */
  get forgottenBeforeMs(): number {
    return this.#forgottenBeforeMs;
  }

  *active(nowMs: number): Generator<KnownBan> {
    for (const bans of this.#bans.values()) yield* bans.filter((ban) => !isOver(ban, nowMs));
  }

  #judgeBan(seen: SeenBan, nowMs: number): { told: Sighting | undefined; bans: readonly KnownBan[] } {
    const all = this.#bans.get(seen.address) ?? [];
    const known = sameBan(this.#of(seen), seen);
    const toldAtMs = known?.toldAtMs ?? seen.bannedAtMs ?? seen.atMs;
    const banSeconds = secondsOf(seen, toldAtMs);
    if (known === undefined) {
      const ban: KnownBan = { ...withTime(seen), toldAtMs, banSeconds, ended: undefined };
      return { told: sightingOf(seen.kind, seen, ban, nowMs), bans: [...all, ban] };
    }
    const isLonger = banSeconds !== 0 && endMs({ toldAtMs, banSeconds }) > endMs(known) + SAME_END_MS;
    const timesMs = { ...withTime(seen).timesMs, ...known.timesMs };
    const ban: KnownBan = { ...known, timesMs, banSeconds: isLonger ? banSeconds : known.banSeconds };
    const isNews = isLonger && (known.banSeconds !== 0 || seen.kind === "prolong") && known.ended === undefined;
    return {
      told: isNews ? sightingOf("prolong", seen, ban, nowMs) : undefined,
      bans: all.map((candidate) => (candidate === known ? ban : candidate)),
    };
  }

  #judgeEnd(seen: SeenEnd, nowMs: number): { told: Sighting | undefined; bans: readonly KnownBan[] } {
    const all = this.#bans.get(seen.address) ?? [];
    if (seen.cause === "stopped") return { told: undefined, bans: all };
    const asBan: SeenBan = { ...seen, kind: "ban", failures: 0, banCount: 0 };
    const known = endedBan(this.#of(seen), asBan);
    if (known?.ended !== undefined) return { told: undefined, bans: all };
    if (known === undefined && seen.bannedAtMs === undefined && seen.cause !== "hand")
      return { told: undefined, bans: all };
    const ban: KnownBan = known ?? {
      ...withTime(asBan),
      toldAtMs: seen.bannedAtMs ?? seen.atMs,
      banSeconds: seen.banSeconds,
      ended: undefined,
    };
    const ended: KnownBan = { ...ban, ended: { atMs: seen.atMs, by: clockworkOf(seen.source) } };
    return {
      told: isByHand(seen, ban) ? sightingOf("unban-by-hand", { ...asBan, banCount: 0 }, ended, nowMs) : undefined,
      bans: known === undefined ? [...all, ended] : all.map((candidate) => (candidate === known ? ended : candidate)),
    };
  }

  #of({ address, jail }: { readonly address: Prefix; readonly jail: string }): readonly KnownBan[] {
    return (this.#bans.get(address) ?? []).filter((ban) => ban.jail === jail);
  }

  #put(address: Prefix, bans: readonly KnownBan[]): void {
    this.#bans.delete(address); // the newest last
    if (bans.length > 0) this.#bans.set(address, bans.slice(-BANS_PER_ADDRESS_MAX));
    if (this.#bans.size <= ADDRESSES_MAX) return;
    const [oldest, forgotten] = this.#bans.entries().next().value as [Prefix, readonly KnownBan[]];
    this.#bans.delete(oldest);
    this.#forgottenBeforeMs = Math.max(this.#forgottenBeforeMs, ...forgotten.map((ban) => ban.toldAtMs));
  }

  #seed(sighting: Sighting): void {
    const { kind, recordedAtMs: atMs, evidence: _, ...told } = sighting;
    const seen = { ...told, atMs };
    if (kind === "unban-by-hand") this.judge({ ...seen, kind: "end", cause: "hand" }, atMs);
    else this.judge({ ...seen, kind }, atMs);
  }
}

function withTime({
  address,
  jail,
  source,
  kind,
  bannedAtMs,
}: SeenBan): Pick<KnownBan, "address" | "jail" | "timesMs"> {
  const isOwnTime = bannedAtMs !== undefined && !(kind === "restored" && source === "log");
  return { address, jail, timesMs: isOwnTime ? { [clockworkOf(source)]: bannedAtMs } : {} };
}

function secondsOf({ untilMs, banSeconds }: SeenBan, toldAtMs: number): number {
  return untilMs === undefined ? banSeconds : Math.max(1, Math.round((untilMs - toldAtMs) / 1_000));
}

function isByHand({ cause, atMs, bannedAtMs, banSeconds }: SeenEnd, ban: KnownBan): boolean {
  if (cause !== "time-or-hand") return cause === "hand";
  const ownEndMs = bannedAtMs === undefined ? 0 : endMs({ toldAtMs: bannedAtMs, banSeconds });
  const isLengthKnown = ban.banSeconds !== 0 || (bannedAtMs !== undefined && banSeconds !== 0);
  return isLengthKnown && atMs < Math.max(ownEndMs, endMs(ban)) - EARLY_MS;
}

function localAct(seen: SeenBan | SeenEnd, bans: readonly KnownBan[], nowMs: number): LocalAct | undefined {
  if (seen.kind === "end" && seen.cause === "stopped") return undefined;
  const { address, jail } = seen;
  const ends = bans
    .filter((ban) => !isOver(ban, nowMs))
    .map(localEndMs)
    .filter((end) => end > nowMs);
  if (seen.kind === "end") return ends.length === 0 ? { kind: "ended", address } : undefined;
  if (ends.length === 0) return undefined; // told late: over already
  const untilMs = Math.max(...ends);
  const secondsLeft = untilMs === Number.POSITIVE_INFINITY ? -1 : Math.ceil((untilMs - nowMs) / 1_000);
  return { kind: "banned", how: seen.kind, address, jail, bannedAtMs: seen.bannedAtMs ?? seen.atMs, secondsLeft };
}

function localEndMs(ban: KnownBan): number {
  return ban.banSeconds === 0 ? ban.toldAtMs + UNKNOWN_BAN_SECONDS * 1_000 : endMs(ban);
}

function sightingOf(kind: SightingKind, seen: SeenBan, ban: KnownBan, nowMs: number): Sighting {
  const { address, jail, toldAtMs: bannedAtMs, banSeconds } = ban;
  return {
    ...{ address, kind, source: seen.source, jail, protocol: seen.protocol ?? "", ports: seen.ports ?? "" },
    ...{ failures: seen.failures, bannedAtMs, banSeconds, banCount: seen.banCount, recordedAtMs: nowMs },
    act: actOf({ jail, address, bannedAtMs }),
    evidence: evidenceOf(seen),
  };
}

/** A character is not cut in two. */
function evidenceOf({ evidence = "" }: SeenBan): Uint8Array {
  const bytes = new Uint8Array(EVIDENCE_MAX_BYTES);
  return bytes.slice(0, new TextEncoder().encodeInto(evidence, bytes).written);
}
