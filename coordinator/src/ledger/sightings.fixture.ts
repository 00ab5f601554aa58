/** Sightings as agents send them, and what became of them. */
import { createHash } from "node:crypto";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { actOf, type Sighting } from "@fleetban/proto/model/sighting";
import type { Store } from "../store/store.ts";
import type { Ledger, SightingBatch } from "./ledger.ts";
import { outcomeName } from "./sighting-codes.ts";

export function sightingOf(ledger: Ledger, address: string, given: Partial<Sighting> = {}): Sighting {
  const nowMs = Math.floor(ledger.ledgerTimeMs());
  const sighting = {
    address: parsePrefix(address) as Prefix,
    kind: "ban",
    source: "fail2ban",
    jail: "sshd",
    protocol: "tcp",
    ports: "ssh",
    failures: 5,
    bannedAtMs: nowMs - 1000,
    banSeconds: 600,
    banCount: 1,
    recordedAtMs: nowMs,
    evidence: new Uint8Array(0),
    ...given,
  } as const;
  return { ...sighting, act: actOf(sighting) };
}

export function batchOf(
  ledger: Ledger,
  agentNo: number,
  firstSeq: number,
  sightings: readonly Sighting[],
  spool = "spool",
): SightingBatch {
  const nowMs = ledger.ledgerTimeMs();
  return { agentNo, incarnation: incarnationOf(spool), firstSeq, sentAtMs: nowMs, receivedAtMs: nowMs, sightings };
}

export function incarnationOf(name: string): Uint8Array {
  return createHash("sha256").update(name).digest().subarray(0, 16);
}

export async function outcomes(store: Store): Promise<Record<string, number>> {
  const rows = await store.sql<{ outcome: number; count: number }[]>`
    select outcome, count(*)::int as count from sightings group by outcome`;
  return Object.fromEntries(rows.map(({ outcome, count }) => [outcomeName(outcome), count]));
}
