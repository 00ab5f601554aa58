/**
 * Sightings on the wire.
 *
 * Text from an agent is cut to its bounds and freed of control characters (Postgres stores no NUL), numbers are cut
 * to what a column holds: such a sighting still counts. Without address, kind or act it is none: a WireError.
 */
import { FleetbanError } from "@fleetban/kit/errors";
import { bytesOf, isSingle, lengthOf, type Prefix, prefixFromBytes } from "../model/prefix.ts";
import type { Sighting, SightingKind, Source } from "../model/sighting.ts";
import { sized, wordOf } from "./fields.ts";
import {
  SightingKind as KindNumber,
  type Sighting as SightingMessage,
  Source as SourceNumber,
} from "./gen/fleetban/v1/fleet.ts";
import { WireError } from "./wire-error.ts";

const KINDS: Readonly<Record<SightingKind, KindNumber>> = {
  ban: KindNumber.SIGHTING_KIND_BAN,
  prolong: KindNumber.SIGHTING_KIND_PROLONG,
  restored: KindNumber.SIGHTING_KIND_RESTORED,
  "unban-by-hand": KindNumber.SIGHTING_KIND_UNBAN_BY_HAND,
};
const SOURCES: Readonly<Record<Source, SourceNumber>> = {
  fail2ban: SourceNumber.SOURCE_FAIL2BAN,
  log: SourceNumber.SOURCE_LOG,
  socket: SourceNumber.SOURCE_SOCKET,
  import: SourceNumber.SOURCE_IMPORT,
};

const JAIL_MAX_CHARACTERS = 64;
const PROTOCOL_MAX_CHARACTERS = 16;
const PORTS_MAX_CHARACTERS = 256;
const EVIDENCE_MAX_BYTES = 1_024;
const ACT_BYTES = 8;
const COUNT_MAX = 2_147_483_647; // Postgres' integer
const PART = "sighting";

export function sightingToWire(sighting: Sighting): SightingMessage {
  return {
    address: Buffer.from(bytesOf(sighting.address)),
    length: isSingle(sighting.address) ? 0 : lengthOf(sighting.address),
    kind: KINDS[sighting.kind],
    source: SOURCES[sighting.source],
    jail: plainText(sighting.jail, JAIL_MAX_CHARACTERS),
    protocol: plainText(sighting.protocol, PROTOCOL_MAX_CHARACTERS),
    ports: plainText(sighting.ports, PORTS_MAX_CHARACTERS),
    failures: sighting.failures,
    bannedAtMs: sighting.bannedAtMs,
    banSeconds: sighting.banSeconds,
    banCount: sighting.banCount,
    recordedAtMs: sighting.recordedAtMs,
    act: Buffer.from(sighting.act, "hex"),
    evidence: Buffer.from(sighting.evidence.subarray(0, EVIDENCE_MAX_BYTES)),
  };
}

export function sightingFromWire(message: SightingMessage): Sighting {
  const kind = wordOf(KINDS, message.kind);
  const source = wordOf(SOURCES, message.source);
  if (kind === undefined) throw new WireError(PART, `unknown kind ${message.kind}`);
  if (source === undefined) throw new WireError(PART, `unknown source ${message.source}`);
  return {
    address: addressFromWire(message),
    kind,
    source,
    jail: plainText(message.jail, JAIL_MAX_CHARACTERS),
    protocol: plainText(message.protocol, PROTOCOL_MAX_CHARACTERS),
    ports: plainText(message.ports, PORTS_MAX_CHARACTERS),
    failures: Math.min(message.failures, COUNT_MAX),
    bannedAtMs: message.bannedAtMs,
    banSeconds: message.banSeconds,
    banCount: Math.min(message.banCount, COUNT_MAX),
    recordedAtMs: message.recordedAtMs,
    act: Buffer.from(sized(`${PART} act`, message.act, ACT_BYTES)).toString("hex"),
    evidence: message.evidence.subarray(0, EVIDENCE_MAX_BYTES),
  };
}

function addressFromWire({ address, length }: SightingMessage): Prefix {
  try {
    return prefixFromBytes(address, length === 0 ? undefined : length);
  } catch (cause) {
    if (cause instanceof FleetbanError) throw new WireError(PART, cause.message, { cause });
    throw cause;
  }
}

function plainText(text: string, maxCharacters: number): string {
  const cut = text.length > maxCharacters ? [...text].slice(0, maxCharacters).join("") : text;
  return cut.replace(/\p{Cc}/gu, "").toWellFormed();
}
