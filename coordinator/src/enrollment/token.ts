/** A one-time token as the coordinator keeps it: everything but the token itself. */

export interface Token {
  readonly enrollmentNo: number;
  readonly group: string;
  readonly uses: number;
  readonly usesLeft: number;
  readonly createdAtMs: number;
  readonly endsAtMs: number;
  readonly isExpired: boolean;
  readonly isRevoked: boolean;
  readonly author: string;
  readonly reason: string;
}

export type TokenState = "open" | "used" | "expired" | "revoked";

export function stateOf(token: Token): TokenState {
  if (token.isRevoked) return "revoked";
  if (token.usesLeft <= 0) return "used";
  return token.isExpired ? "expired" : "open";
}
