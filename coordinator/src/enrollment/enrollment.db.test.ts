import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { createCertificateRequest } from "@fleetban/kit/certificate-request";
import { parseEnrollmentToken } from "@fleetban/proto/model/enrollment-token";
import type { ServiceError } from "@grpc/grpc-js";
import { startCoordinator, type TestCoordinator, unary } from "../drivers/coordinator.fixture.ts";

const WISH = { uses: 1, validSeconds: 60, group: "", reason: "" };

test("a server redeems its token for a certificate that names it, over the CA of the token", async (t) => {
  const coordinator = await startCoordinator(t);
  const created = await unary(coordinator.admin, coordinator.admin.createEnrollment, WISH);
  const token = parseEnrollmentToken(created.token);
  assert.equal(token.caFingerprint, coordinator.authority.fingerprint);
  assert.deepEqual(token.addresses, ["127.0.0.1:1"]);
  const { csr } = await createCertificateRequest();
  const request = {
    token: token.secret,
    csr,
    name: "web1",
    programVersion: "1",
    addresses: [Buffer.from([8, 8, 8, 8])],
  };
  const enrolled = await unary(coordinator.enrollment, coordinator.enrollment.enroll, request);
  assert.match(new X509Certificate(enrolled.certificate).subjectAltName ?? "", new RegExp(enrolled.agentId));
  assert.equal(enrolled.ca, coordinator.caPem);
  const { agents } = await unary(coordinator.admin, coordinator.admin.listAgents, { agent: "web1" });
  assert.deepEqual(
    agents.map(({ name, state, addresses }) => ({ name, state, addresses })),
    [{ name: "web1", state: "never-seen", addresses: ["8.8.8.8"] }],
  );
});

test("what is stored of a token is its hash", async (t) => {
  const { admin, store } = await startCoordinator(t);
  const { secret } = parseEnrollmentToken((await unary(admin, admin.createEnrollment, WISH)).token);
  const [row] = await store.sql<{ whole: string }[]>`select enrollment_tokens::text as whole from enrollment_tokens`;
  assert.ok(!row!.whole.includes(secret));
  assert.ok(!row!.whole.includes(Buffer.from(secret).toString("hex")));
});

test("a wrong, used, expired or revoked token is refused, each with its own words", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin, store } = coordinator;
  const used = await newToken(coordinator);
  await redeem(coordinator, used.secret);
  const expired = await newToken(coordinator);
  await store.sql`update enrollment_tokens set ends_at = '2026-01-02T03:04:05Z' where enrollment_no = ${expired.no}`;
  const revoked = await newToken(coordinator);
  await unary(admin, admin.revokeEnrollment, { enrollmentNo: revoked.no, reason: "lost" });
  const refusals = [
    await refusal(coordinator, "A".repeat(22)),
    await refusal(coordinator, used.secret),
    await refusal(coordinator, expired.secret),
    await refusal(coordinator, revoked.secret),
  ];
  assert.deepEqual(refusals, [
    "enrollment token: is not known to this coordinator",
    `enrollment token ${used.no}: has been used already`,
    `enrollment token ${expired.no}: ended at 2026-01-02T03:04:05.000Z`,
    `enrollment token ${revoked.no}: was revoked`,
  ]);
  const { enrollments } = await unary(admin, admin.listEnrollments, {});
  assert.deepEqual(enrollments.map(({ state }) => state).sort(), ["expired", "revoked", "used"]);
});

test("of two servers at once that use a token's last use, one is refused", async (t) => {
  const coordinator = await startCoordinator(t);
  const { secret } = await newToken(coordinator);
  const outcomes = await Promise.allSettled([redeem(coordinator, secret), redeem(coordinator, secret)]);
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
});

test("a request that is not good spends no token, and tells what to do", async (t) => {
  const coordinator = await startCoordinator(t);
  const { secret } = await newToken(coordinator);
  await assert.rejects(redeem(coordinator, secret, { csr: Buffer.from("nonsense") }), /not a readable PKCS#10/);
  await assert.rejects(redeem(coordinator, secret, { name: "web 1; rm -rf" }), /agent name "web 1; rm -rf": must be/);
  await redeem(coordinator, secret);
});

test("after ten failures within a minute a peer has to wait, whatever it brings", async (t) => {
  const coordinator = await startCoordinator(t);
  for (let count = 0; count < 10; count += 1) await refusal(coordinator, "A".repeat(22));
  const { secret } = await newToken(coordinator);
  assert.equal(await refusal(coordinator, secret), "enrollment: too many attempts that failed");
});

test("an agent gets ten certificates a day, however many it asks for at once", async (t) => {
  const coordinator = await startCoordinator(t);
  const client = coordinator.fleetClient(await coordinator.enroll("web1"));
  const { csr } = await createCertificateRequest();
  const asked = await Promise.allSettled(Array.from({ length: 14 }, () => unary(client, client.renew, { csr })));
  const refused = asked
    .filter((one) => one.status === "rejected")
    .map(({ reason }) => (reason as ServiceError).details);
  assert.deepEqual(new Set(refused), new Set(["agent web1: has had 10 certificates within a day already"]));
  assert.equal(refused.length, 5, "the first was that of the enrollment");
  await coordinator.store.sql`update agent_certificates set issued_at = issued_at - interval '25 hours'`;
  await unary(client, client.renew, { csr });
});

async function newToken({ admin }: TestCoordinator): Promise<{ secret: string; no: number }> {
  const created = await unary(admin, admin.createEnrollment, WISH);
  return { secret: parseEnrollmentToken(created.token).secret, no: created.enrollmentNo };
}

async function redeem({ enrollment }: TestCoordinator, token: string, wish: { csr?: Buffer; name?: string } = {}) {
  const { csr } = await createCertificateRequest();
  const request = { token, csr, name: "web1", programVersion: "1", addresses: [], ...wish };
  return unary(enrollment, enrollment.enroll, request);
}

async function refusal(coordinator: TestCoordinator, token: string): Promise<string> {
  try {
    await redeem(coordinator, token);
  } catch (error) {
    return (error as ServiceError).details;
  }
  return "(none)";
}
