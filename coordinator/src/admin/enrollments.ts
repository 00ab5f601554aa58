/** One-time tokens: made, shown, revoked by operators. */
import type {
  CreateEnrollmentRequest,
  CreateEnrollmentResponse,
  EnrollmentToken,
  RevokeEnrollmentRequest,
  RevokeEnrollmentResponse,
} from "@fleetban/proto/wire/admin";
import { stateOf, type Token } from "../enrollment/token.ts";
import { createToken, listTokens, revokeToken } from "../enrollment/tokens.ts";
import { checkReason } from "./arguments.ts";
import { recordAct } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

const VALID_SECONDS = 86_400;

export async function createEnrollment(
  parts: AdminParts,
  caller: Caller,
  request: CreateEnrollmentRequest,
): Promise<CreateEnrollmentResponse> {
  const { store, authority, random, addresses, metrics } = parts;
  const wish = {
    uses: request.uses || 1,
    validSeconds: request.validSeconds || VALID_SECONDS,
    group: request.group || "default",
    author: caller.name,
    reason: checkReason(request.reason),
  };
  const { token, row } = await store.transaction(async (sql) => {
    const created = await createToken({ sql, authority, random, addresses: addresses.enrollment }, wish);
    const { uses, group, reason } = wish;
    const subject = `${created.row.enrollmentNo}`;
    await recordAct(sql, caller, { act: "enrollments create", subject, reason, after: { uses, group } });
    return created;
  });
  metrics.auditRecord();
  return {
    token,
    enrollmentNo: row.enrollmentNo,
    endsAtMs: row.endsAtMs,
    uses: row.uses,
    address: addresses.enrollment[0] ?? "",
  };
}

export async function listEnrollments({ store }: AdminParts): Promise<EnrollmentToken[]> {
  return (await listTokens(store.sql)).map(messageOf);
}

export async function revokeEnrollment(
  parts: AdminParts,
  caller: Caller,
  request: RevokeEnrollmentRequest,
): Promise<RevokeEnrollmentResponse> {
  const reason = checkReason(request.reason);
  const row = await parts.store.transaction(async (sql) => {
    const revoked = await revokeToken(sql, request.enrollmentNo);
    if (revoked === undefined) {
      throw new AdminError("not-found", `enrollment ${request.enrollmentNo}: does not exist`, {
        hint: "`fleetban enrollments list` shows them",
      });
    }
    await recordAct(sql, caller, { act: "enrollments revoke", subject: `${request.enrollmentNo}`, reason });
    return revoked;
  });
  parts.metrics.auditRecord();
  return { enrollment: messageOf(row) };
}

function messageOf(row: Token): EnrollmentToken {
  const { enrollmentNo, usesLeft, createdAtMs, endsAtMs, group, author } = row;
  return { enrollmentNo, usesLeft, createdAtMs, endsAtMs, group, author, state: stateOf(row) };
}
