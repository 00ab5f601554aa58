/** What lets somebody fetch lists: shown once when it is made, kept as a hash. */
import { createHash } from "node:crypto";
import type { Random } from "@fleetban/kit/random";
import type { Prefix } from "@fleetban/proto/model/prefix";

export interface PublishToken {
  readonly tokenNo: number;
  readonly name: string;
  /** Names of the lists that it opens. */
  readonly lists: readonly string[];
  /** Ranks above it are never given. */
  readonly maxRank: number;
  readonly isForOwnUse: boolean;
  /** Where it may be used; empty = anywhere. */
  readonly ranges: readonly Prefix[];
  /** 0 = never. */
  readonly endsAtMs: number;
  readonly createdAtMs: number;
  readonly author: string;
  readonly reason: string;
  readonly isRevoked: boolean;
}

export type PublishTokenState = "open" | "expired" | "revoked";

const SECRET_BYTES = 24;

export function newToken(random: Random): string {
  return `fbp1.${Buffer.from(random.bytes(SECRET_BYTES)).toString("base64url")}`;
}

export function tokenHash(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

export function tokenState({ isRevoked, endsAtMs }: PublishToken, nowMs: number): PublishTokenState {
  if (isRevoked) return "revoked";
  return endsAtMs !== 0 && endsAtMs <= nowMs ? "expired" : "open";
}
