/** Certificates that open the Admin service over the network: made over an operator's own key, shown, revoked. */
import type {
  AdminCertificate,
  CreateAdminCertificateRequest,
  CreateAdminCertificateResponse,
  RevokeAdminCertificateRequest,
  RevokeAdminCertificateResponse,
} from "@fleetban/proto/wire/admin";
import { type ClientCertificate, issueClientCertificate } from "../enrollment/certificates.ts";
import type { Sql } from "../store/sql.ts";
import { checkReason } from "./arguments.ts";
import { recordAct } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

const VALID_SECONDS = 90 * 86_400;
const VALID_MAX_SECONDS = 398 * 86_400;
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,63}$/u;

export async function createAdminCertificate(
  parts: AdminParts,
  caller: Caller,
  request: CreateAdminCertificateRequest,
): Promise<CreateAdminCertificateResponse> {
  const { name } = request;
  if (!NAME.test(name)) {
    throw new AdminError(
      "bad-argument",
      `operator name ${JSON.stringify(name.slice(0, 80))}: must be 1 to 64 letters, digits, blanks, . _ @ -`,
    );
  }
  const validSeconds = request.validSeconds || VALID_SECONDS;
  if (validSeconds > VALID_MAX_SECONDS) {
    throw new AdminError("bad-argument", `valid for ${validSeconds} seconds: longer than 398 days`, {
      hint: "make a new one before this ends",
    });
  }
  const { store, authority, random, clock, addresses, metrics } = parts;
  const wish = { csr: request.csr, identity: { kind: "admin", name } as const, validSeconds };
  const issued = await issueClientCertificate(authority, wish, random, clock.nowMs());
  await store.transaction(async (sql) => {
    await insertAdminCertificate(sql, { name, author: caller.name }, issued);
    await recordAct(sql, caller, { act: "certificates create", subject: `${name} ${issued.serial}` });
  });
  metrics.auditRecord();
  return {
    certificate: issued.certificatePem,
    ca: authority.certificatePem,
    endsAtMs: issued.endsAtMs,
    serial: issued.serial,
    addresses: [...addresses.fleet],
  };
}

export async function listAdminCertificates({ store, clock }: AdminParts): Promise<AdminCertificate[]> {
  return certificates(store.sql, clock.nowMs());
}

export async function revokeAdminCertificate(
  parts: AdminParts,
  caller: Caller,
  request: RevokeAdminCertificateRequest,
): Promise<RevokeAdminCertificateResponse> {
  const reason = checkReason(request.reason);
  const known = await certificates(parts.store.sql, parts.clock.nowMs());
  const serial = serialOf(known, request.certificate);
  await parts.store.transaction(async (sql) => {
    await sql`
      update admin_certificates set revoked_at = clock_timestamp(), revoked_by = ${caller.name}
      where serial = ${serial} and revoked_at is null`;
    await recordAct(sql, caller, { act: "certificates revoke", subject: serial, reason });
  });
  parts.metrics.auditRecord();
  const after = await certificates(parts.store.sql, parts.clock.nowMs());
  return { certificate: after.find((one) => one.serial === serial) };
}

/** The operator's name, or undefined: unknown, revoked or past its end. */
export async function operatorOf(sql: Sql, serial: string, nowMs: number): Promise<string | undefined> {
  const [row] = await sql<{ name: string }[]>`
    select name from admin_certificates
    where serial = ${serial} and revoked_at is null and ends_at > to_timestamp(${nowMs / 1_000}::float8)`;
  return row?.name;
}

function serialOf(known: readonly AdminCertificate[], named: string): string {
  const matches = known.filter(
    (one) => one.serial === named.toLowerCase() || (one.name === named && one.state === "valid"),
  );
  const [match, ...others] = matches;
  const hint = "`fleetban certificates list` shows names and serials";
  if (match === undefined)
    throw new AdminError("not-found", `certificate ${named}: is not known, or not valid any more`, { hint });
  if (others.length > 0)
    throw new AdminError("ambiguous", `certificate ${named}: ${matches.length} have this name`, { hint });
  return match.serial;
}

async function certificates(sql: Sql, nowMs: number): Promise<AdminCertificate[]> {
  const rows = await sql<
    { serial: string; name: string; issued_at: Date; ends_at: Date; created_by: string; is_revoked: boolean }[]
  >`
    select serial, name, issued_at, ends_at, created_by, revoked_at is not null as is_revoked
    from admin_certificates order by issued_at desc limit 500`;
  return rows.map((row) => ({
    serial: row.serial,
    name: row.name,
    issuedAtMs: row.issued_at.getTime(),
    endsAtMs: row.ends_at.getTime(),
    author: row.created_by,
    state: row.is_revoked ? "revoked" : row.ends_at.getTime() <= nowMs ? "expired" : "valid",
  }));
}

async function insertAdminCertificate(
  sql: Sql,
  admin: { name: string; author: string },
  certificate: ClientCertificate,
): Promise<void> {
  await sql`
    insert into admin_certificates (serial, name, key_fingerprint, issued_at, ends_at, created_by)
    values (${certificate.serial}, ${admin.name}, decode(${certificate.keyFingerprint}, 'hex'),
      to_timestamp(${certificate.issuedAtMs / 1_000}::float8), to_timestamp(${certificate.endsAtMs / 1_000}::float8),
      ${admin.author})`;
}
