/** What the agent says of itself at the start of each stream. */
import { digestToBytes } from "@fleetban/proto/model/digest";
import { epochToBytes } from "@fleetban/proto/model/epoch";
import { bytesOf, type Prefix } from "@fleetban/proto/model/prefix";
import { FEATURE, PROTOCOL_VERSION } from "@fleetban/proto/wire/channel";
import { Hello, type Position } from "@fleetban/proto/wire/fleet";
import type { Enforcement } from "./enforcement.ts";
import type { Mirror } from "./mirror/mirror.ts";
import type { Spool } from "./spool/spool.ts";

export interface HelloFacts {
  readonly version: string;
  readonly bootId: Uint8Array;
  readonly startId: Uint8Array;
  readonly backend: string;
  readonly capacityEntries: number;
  readonly sentAtMs: number;
  readonly claims: readonly Prefix[];
}

export function makeHello(facts: HelloFacts, mirror: Mirror, enforcement: Enforcement, spool: Spool): Hello {
  return Hello.fromPartial({
    protocol: PROTOCOL_VERSION,
    features: [FEATURE.exemptLists],
    programVersion: facts.version,
    bootId: Buffer.from(facts.bootId),
    startId: Buffer.from(facts.startId),
    sentAtMs: facts.sentAtMs,
    capacityEntries: facts.capacityEntries,
    backend: facts.backend,
    addresses: facts.claims.map((address) => Buffer.from(bytesOf(address))),
    positions: positionsOf(mirror, enforcement),
    spools: spool.describe().map((run) => ({ ...run, incarnation: Buffer.from(run.incarnation) })),
  });
}

/** A list that differed is named without revision: the coordinator answers with a snapshot. */
function positionsOf(mirror: Mirror, enforcement: Enforcement): Partial<Position>[] {
  const known = mirror.positions().filter(({ list }) => !enforcement.isDistrusted(list));
  const positionByList = new Map(known.map((position) => [position.list, position]));
  return mirror.lists().map(({ list: { list } }) => {
    const position = positionByList.get(list);
    const partial = enforcement.assembly.partial(list);
    return {
      list,
      ...(position === undefined
        ? {}
        : {
            epoch: Buffer.from(epochToBytes(position.epoch)),
            revision: position.revision,
            digest: Buffer.from(digestToBytes(position.digest)),
          }),
      ...(partial === undefined ? {} : { partial: { ...partial, sha256: Buffer.from(partial.sha256) } }),
    };
  });
}
