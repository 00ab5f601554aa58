/** One-time tokens: made, shown, revoked. What is stored of one is its hash. */
import type { Random } from "@fleetban/kit/random";
import { formatEnrollmentToken } from "@fleetban/proto/model/enrollment-token";
import type { Sql } from "../store/sql.ts";
import type { Authority } from "./certificates.ts";
import { EnrollmentError } from "./errors.ts";
import { groupNames, insertToken, revokeTokenRow, tokenRows } from "./queries.ts";
import { hashOf } from "./redeem.ts";
import type { Token } from "./token.ts";

export interface TokenWish {
  readonly uses: number;
  readonly validSeconds: number;
  readonly group: string;
  readonly author: string;
  readonly reason: string;
}

export interface TokenParts {
  readonly sql: Sql;
  readonly authority: Authority;
  readonly random: Random;
  /** `host:port` of the Enrollment service. */
  readonly addresses: readonly string[];
}

const SECRET_BYTES = 16;
const MAX_USES = 100_000;
const MAX_VALID_SECONDS = 365 * 86_400;

export async function createToken(parts: TokenParts, wish: TokenWish): Promise<{ token: string; row: Token }> {
  if (wish.uses > MAX_USES) {
    throw new EnrollmentError("bad-enrollment", `${wish.uses} uses: at most ${MAX_USES}`, "make several tokens");
  }
  if (wish.validSeconds > MAX_VALID_SECONDS) {
    const message = `valid for ${wish.validSeconds} seconds: at most ${MAX_VALID_SECONDS}`;
    throw new EnrollmentError("bad-enrollment", message, "use --valid 365d or less");
  }
  const groups = await groupNames(parts.sql);
  if (!groups.includes(wish.group)) {
    const message = `group ${JSON.stringify(wish.group)}: does not exist`;
    throw new EnrollmentError("bad-enrollment", message, `there are: ${groups.join(", ")}`);
  }
  const secret = Buffer.from(parts.random.bytes(SECRET_BYTES)).toString("base64url");
  const row = await insertToken(parts.sql, { ...wish, hash: hashOf(secret) });
  const token = formatEnrollmentToken({
    secret,
    caFingerprint: parts.authority.fingerprint,
    addresses: parts.addresses,
  });
  return { token, row };
}

/** The newest first, those that are over included. */
export async function listTokens(sql: Sql): Promise<Token[]> {
  return tokenRows(sql);
}

/** Undefined = there is no such token. */
export async function revokeToken(sql: Sql, enrollmentNo: number): Promise<Token | undefined> {
  return revokeTokenRow(sql, enrollmentNo);
}
