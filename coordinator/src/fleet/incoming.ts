/**
 * An agent's messages, checked and turned into what the room works with. What an agent of the right version never
 * sends is a violation and ends the stream (invariant 8: a compromised agent is contained).
 */
import { type Digest, digestFromBytes } from "@fleetban/proto/model/digest";
import { epochFromBytes } from "@fleetban/proto/model/epoch";
import { type ListNo, listNo, revision, seq } from "@fleetban/proto/model/listing";
import { isSingle, type Prefix, prefixFromBytes } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import type { Applied, Health, Hello, Position, ProbeResult, Sightings } from "@fleetban/proto/wire/fleet";
import type { MirrorPosition } from "../ledger/ledger.ts";
import { violation } from "./errors.ts";
import type { AgentHealth, AppliedList } from "./reported.ts";

const ID_BYTES = 16;
const SHA256_BYTES = 32;
const MAX_POSITIONS = 256;
const MAX_SPOOLS = 64;
const MAX_ADDRESSES = 16;
const MAX_FEATURES = 64;
const MAX_SIGHTINGS = 10_000;
const MAX_WARNABLES = 64;
const MAX_DETAIL = 1_024;
const MAX_TEXT = 64;
/** The last moment of the year 9999: beyond it Postgres' text of a time is read by nobody. */
const MAX_TIME_MS = 253_402_300_799_999;
const WARNABLE_CODE = /^[a-z][a-z0-9-]{0,63}$/;

export interface CheckedHello {
  readonly hello: Hello;
  readonly positions: ReadonlyMap<ListNo, MirrorPosition>;
  /** Lists that the agent names, with or without a mirror of them. */
  readonly named: ReadonlySet<ListNo>;
  /** Globally reachable single addresses among its claims. */
  readonly claims: readonly Prefix[];
}

export function checkHello(hello: Hello): CheckedHello {
  checkBytes("boot_id", hello.bootId, ID_BYTES);
  checkBytes("start_id", hello.startId, ID_BYTES);
  checkCount("positions", hello.positions.length, MAX_POSITIONS);
  checkCount("spools", hello.spools.length, MAX_SPOOLS);
  checkCount("addresses", hello.addresses.length, MAX_ADDRESSES);
  checkCount("features", hello.features.length, MAX_FEATURES);
  checkText("program_version", hello.programVersion);
  checkText("backend", hello.backend);
  for (const { incarnation } of hello.spools) checkBytes("incarnation", incarnation, ID_BYTES);
  const positions = new Map<ListNo, MirrorPosition>();
  for (const position of hello.positions) {
    const checked = checkPosition(position);
    if (checked !== undefined) positions.set(listNo(position.list), checked);
  }
  const named = new Set(hello.positions.map(({ list }) => listNo(list)));
  return { hello, positions, named, claims: publicAddresses(hello.addresses) };
}

/** Private and other special-purpose addresses need no protection: nobody can list them. */
export function publicAddresses(addresses: readonly Uint8Array[]): readonly Prefix[] {
  const prefixes = new Set<Prefix>();
  for (const bytes of addresses) {
    if (bytes.length !== 4 && bytes.length !== 16) throw violation(`an address of ${bytes.length} bytes`);
    const prefix = prefixFromBytes(bytes);
    if (isSingle(prefix) && specialPurposeOf(prefix) === undefined) prefixes.add(prefix);
  }
  return [...prefixes];
}

export function checkSightings(sightings: Sightings): void {
  checkBytes("incarnation", sightings.incarnation, ID_BYTES);
  checkCount("items", sightings.items.length, MAX_SIGHTINGS);
  if (sightings.items.length === 0) throw violation("a message of sightings without any");
  if (sightings.firstSeq < 1) throw violation(`sightings from number ${sightings.firstSeq}; numbers begin at 1`);
  if (!Number.isSafeInteger(sightings.firstSeq + sightings.items.length)) throw violation("sightings above 2^53");
  seq(sightings.firstSeq);
}

export function checkApplied(applied: Applied): AppliedList {
  checkBytes("epoch", applied.epoch, ID_BYTES);
  return {
    epoch: epochFromBytes(applied.epoch),
    revision: revision(applied.revision),
    kernelDigest: optionalDigest("kernel_digest", applied.kernelDigest),
    mirrorDigest: optionalDigest("mirror_digest", applied.mirrorDigest),
    kernelEntries: applied.kernelEntries,
    leftOut: applied.leftOut,
    kept: applied.kept,
    refused: applied.refused,
    line: applied.line,
    checkedAtMs: Math.min(applied.checkedAtMs, MAX_TIME_MS),
    isUnsupported: applied.unsupported,
  };
}

/** Its words end in the audit log, where they may be why a policy went back. */
export function checkProbeResult(result: ProbeResult): ProbeResult {
  const plain = (text: string, max: number) => text.replaceAll(/[\p{Cc}\p{Cf}]/gu, " ").slice(0, max);
  return { ...result, error: plain(result.error, MAX_DETAIL), backend: plain(result.backend, MAX_TEXT) };
}

export function checkHealth(health: Health): AgentHealth {
  checkCount("warnables", health.warnables.length, MAX_WARNABLES);
  for (const { code, detail } of health.warnables) {
    if (!WARNABLE_CODE.test(code)) throw violation("a warnable whose code is not kebab-case");
    if (detail.length > MAX_DETAIL) throw violation(`a warnable's detail of ${detail.length} characters`);
  }
  return {
    warnables: health.warnables.map(({ code, sinceMs, detail }) => ({
      code,
      sinceMs,
      detail: detail.replaceAll(/\p{Cc}/gu, ""),
    })),
    spoolSightings: health.spoolSightings,
    lostSightings: health.lostSightings,
    clockSkewMs: health.clockSkewMs,
    ownEntries: health.ownEntries,
    localEntries: health.localEntries,
    applyP99Us: health.applyP99Us,
    countsHits: health.countsHits,
  };
}

/** Undefined = the agent has no mirror of that list. */
function checkPosition({ epoch, revision: at, digest, partial }: Position): MirrorPosition | undefined {
  if (epoch.length === 0) return undefined;
  checkBytes("epoch", epoch, ID_BYTES);
  checkBytes("digest", digest, ID_BYTES);
  const position = { epoch: epochFromBytes(epoch), revision: revision(at), digest: digestFromBytes(digest) };
  if (partial === undefined) return position;
  checkBytes("partial.sha256", partial.sha256, SHA256_BYTES);
  const { sha256, chunks } = partial;
  return { ...position, partial: { revision: revision(partial.revision), sha256, chunks } };
}

function optionalDigest(field: string, bytes: Uint8Array): Digest | undefined {
  if (bytes.length === 0) return undefined;
  checkBytes(field, bytes, ID_BYTES);
  return digestFromBytes(bytes);
}

function checkBytes(field: string, bytes: Uint8Array, wanted: number): void {
  if (bytes.length !== wanted) throw violation(`${field} of ${bytes.length} bytes, must be ${wanted}`);
}

function checkCount(field: string, count: number, max: number): void {
  if (count > max) throw violation(`${count} ${field}, at most ${max}`);
}

function checkText(field: string, text: string): void {
  if (text.length > MAX_TEXT) throw violation(`${field} of ${text.length} characters, at most ${MAX_TEXT}`);
  if (/\p{Cc}/u.test(text)) throw violation(`${field} has control characters`);
}
