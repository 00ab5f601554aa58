/**
 * A server becomes an agent: its one-time token is spent and its key certified, in one transaction.
 *
 * Only the token's SHA-256 is stored, so that who reads the database cannot enroll. Each reason for a refusal is told:
 * who holds a token that was once good already knows more than the answer says.
 */
import { createHash } from "node:crypto";
import type { Clock } from "@fleetban/kit/clock";
import { FleetbanError } from "@fleetban/kit/errors";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import { isSingle, type Prefix, prefixFromBytes, tryParsePrefix } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import type { EnrollRequest, EnrollResponse } from "@fleetban/proto/wire/enrollment";
import type { AgentAddress, Ledger } from "../ledger/ledger.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import type { Attempts } from "./attempts.ts";
import { type Authority, type ClientCertificate, issueClientCertificate } from "./certificates.ts";
import { EnrollmentError } from "./errors.ts";
import { insertAgent, insertAgentCertificate, lockToken, spendToken } from "./queries.ts";
import { stateOf } from "./token.ts";

export interface EnrollmentParts {
  readonly store: Store;
  readonly ledger: Pick<Ledger, "setAgentAddresses">;
  readonly authority: Authority;
  readonly attempts: Attempts;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** `host:port` of the Fleet service; empty = where the agent enrolled, at the default port. */
  readonly coordinators: readonly string[];
  /** For the metrics: `enrolled`, or the code of the refusal. */
  readonly observe: (outcome: string) => void;
}

/** Renewed by the agent after two thirds; one that was off for longer enrolls anew. */
export const AGENT_CERTIFICATE_SECONDS = 90 * 86_400;
const MAX_ADDRESSES = 16;
const MAX_NAME_CHARACTERS = 64;
// Letters, digits and what host names have; no quotes or controls: names stand in commands and tables.
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._:@-]*$/u;
const NEW_TOKEN = "make a new token with `fleetban enrollments create`";

export async function redeemToken(
  parts: EnrollmentParts,
  request: EnrollRequest,
  peerAddress: string,
): Promise<EnrollResponse> {
  const { attempts, clock, log } = parts;
  if (attempts.isBlocked(peerAddress, clock.monotonicMs())) {
    const hint = "wait a minute, then try again with the token as it was printed";
    throw new EnrollmentError("too-many-attempts", "enrollment: too many attempts that failed", hint);
  }
  try {
    const response = await redeem(parts, request, peerAddress);
    parts.observe("enrolled");
    return response;
  } catch (error) {
    parts.observe(error instanceof FleetbanError ? error.code : "failed");
    attempts.failed(peerAddress, clock.monotonicMs());
    log.warn("enrollment.refused", { peer: peerAddress, name: request.name.slice(0, MAX_NAME_CHARACTERS), error });
    throw error;
  }
}

async function redeem(parts: EnrollmentParts, request: EnrollRequest, peerAddress: string): Promise<EnrollResponse> {
  const { store, authority, log } = parts;
  checkName(request.name);
  const addresses = claimsOf(request.addresses, peerAddress);
  const agentId = uuid(parts.random);
  const hash = hashOf(request.token);
  const enrolled = await store.transaction(async (sql) => {
    const group = await spend(sql, hash);
    const certificate = await certify(parts, agentId, request.csr);
    const agentNo = await insertAgent(sql, agentId, request.name, group);
    await insertAgentCertificate(sql, agentNo, certificate);
    return { agentNo, group, certificate };
  });
  log.info("enrollment.enrolled", { agent: request.name, agentId, group: enrolled.group, peer: peerAddress });
  await claim(parts, enrolled.agentNo, addresses);
  return {
    agentId,
    certificate: enrolled.certificate.certificatePem,
    ca: authority.certificatePem,
    coordinators: [...parts.coordinators],
  };
}

/** The token is spent: what fails here must not fail the enrollment, and the agent's first Hello says it again. */
async function claim(parts: EnrollmentParts, agentNo: number, addresses: readonly AgentAddress[]): Promise<void> {
  try {
    const { held } = await parts.ledger.setAgentAddresses(agentNo, addresses);
    if (held.length > 0) parts.log.warn("enrollment.claims_held", { agentNo, addresses: held });
  } catch (error) {
    parts.log.warn("enrollment.addresses_not_set", { agentNo, error });
  }
}

/** The group that the token puts its agents into. */
async function spend(sql: Sql, hash: Buffer): Promise<string> {
  const token = await lockToken(sql, hash);
  if (token === undefined) {
    throw new EnrollmentError("unknown-token", "enrollment token: is not known to this coordinator", NEW_TOKEN);
  }
  const state = stateOf(token);
  const name = `enrollment token ${token.enrollmentNo}`;
  if (state === "revoked") throw new EnrollmentError("revoked-token", `${name}: was revoked`, NEW_TOKEN);
  if (state === "used") {
    const message = `${name}: has been used ${token.uses === 1 ? "already" : `${token.uses} times already`}`;
    throw new EnrollmentError("used-token", message, NEW_TOKEN);
  }
  if (state === "expired") {
    const endedAt = new Date(token.endsAtMs).toISOString();
    throw new EnrollmentError("expired-token", `${name}: ended at ${endedAt}`, NEW_TOKEN);
  }
  await spendToken(sql, hash);
  return token.group;
}

export async function certify(
  parts: Pick<EnrollmentParts, "authority" | "random" | "clock">,
  agentId: string,
  csr: Uint8Array,
): Promise<ClientCertificate> {
  const wish = { csr, identity: { kind: "agent", agentId } as const, validSeconds: AGENT_CERTIFICATE_SECONDS };
  return issueClientCertificate(parts.authority, wish, parts.random, parts.clock.nowMs());
}

export function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret, "utf8").digest();
}

function checkName(name: string): void {
  if (name.length >= 1 && name.length <= MAX_NAME_CHARACTERS && NAME.test(name)) return;
  const hint = "give another with `fleetban-agent enroll --name NAME TOKEN`";
  const message = `agent name ${JSON.stringify(name.slice(0, 80))}: must be 1 to ${MAX_NAME_CHARACTERS} letters, digits, blanks, . _ : @ -`;
  throw new EnrollmentError("bad-enrollment", message, hint);
}

function claimsOf(claimed: readonly Uint8Array[], peerAddress: string): AgentAddress[] {
  if (claimed.length > MAX_ADDRESSES) {
    const message = `${claimed.length} own addresses: at most ${MAX_ADDRESSES} are taken`;
    throw new EnrollmentError("bad-enrollment", message, "name the public ones only");
  }
  const observed = tryParsePrefix(peerAddress);
  const addresses = new Map<Prefix, AgentAddress>();
  for (const bytes of claimed) {
    if (bytes.length !== 4 && bytes.length !== 16) {
      throw new EnrollmentError("bad-enrollment", `own address of ${bytes.length} bytes`, "send 4 or 16 bytes each");
    }
    const address = prefixFromBytes(bytes);
    addresses.set(address, { address, origin: "claimed" });
  }
  if (observed !== undefined) addresses.set(observed, { address: observed, origin: "observed" });
  return [...addresses.values()].filter(({ address }) => isSingle(address) && specialPurposeOf(address) === undefined);
}

/** Version 4. */
function uuid(random: Random): string {
  const bytes = Buffer.from(random.bytes(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
