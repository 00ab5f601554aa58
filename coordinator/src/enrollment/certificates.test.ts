import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { createCertificateRequest } from "@fleetban/kit/certificate-request";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { COORDINATOR_NAME } from "@fleetban/proto/wire/channel";
import { createAuthority, issueClientCertificate, issueServerCertificate, openAuthority } from "./certificates.ts";
import { identityOf } from "./identity.ts";

const NOW_MS = Date.UTC(2026, 10, 20);
const DAY_SECONDS = 86_400;
const AGENT_ID = "0b6f1a52-5f3e-4d61-9d0e-3f6a6ef3a001";

async function authorityFixture() {
  return openAuthority(await createAuthority(systemRandom, NOW_MS));
}

test("an agent's certificate names the agent, is for clients only, and its serial is what TLS will show", async () => {
  const authority = await authorityFixture();
  const { csr } = await createCertificateRequest();
  const identity = { kind: "agent", agentId: AGENT_ID } as const;
  const wish = { csr, identity, validSeconds: 90 * DAY_SECONDS };
  const issued = await issueClientCertificate(authority, wish, systemRandom, NOW_MS);
  const certificate = new X509Certificate(issued.certificatePem);
  assert.deepEqual(identityOf(certificate.subjectAltName), identity);
  assert.equal(certificate.serialNumber.toLowerCase(), issued.serial);
  assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.2"]); // clientAuth
  assert.ok(certificate.verify(new X509Certificate(authority.certificatePem).publicKey));
  assert.equal(certificate.validToDate.getTime(), NOW_MS + 90 * DAY_SECONDS * 1_000);
  assert.equal(issued.endsAtMs, certificate.validToDate.getTime());
});

test("an admin's name survives the certificate whatever is in it", async () => {
  const authority = await authorityFixture();
  const { csr } = await createCertificateRequest();
  for (const name of ["anna", "Jürgen O'Neil, URI:urn:fleetban:agent:x", "a:b/c"]) {
    const wish = { csr, identity: { kind: "admin", name } as const, validSeconds: DAY_SECONDS };
    const issued = await issueClientCertificate(authority, wish, systemRandom, NOW_MS);
    assert.deepEqual(identityOf(new X509Certificate(issued.certificatePem).subjectAltName), { kind: "admin", name });
  }
});

test("the server's certificate carries the fixed name, and its chain the authority of the fingerprint", async () => {
  const authority = await authorityFixture();
  const server = await issueServerCertificate(authority, systemRandom, NOW_MS);
  const [leaf, root] = server.certificatePem.split(/(?<=-----END CERTIFICATE-----\n)/);
  assert.equal(new X509Certificate(leaf!).checkHost(COORDINATOR_NAME), COORDINATOR_NAME);
  const fingerprint = new X509Certificate(root!).fingerprint256.replaceAll(":", "").toLowerCase();
  assert.equal(fingerprint, authority.fingerprint);
});

test("a request that is damaged, too long, or over another kind of key is refused", async () => {
  const authority = await authorityFixture();
  const { csr } = await createCertificateRequest();
  const forged = Buffer.from(csr);
  forged[forged.length - 1]! ^= 1;
  const cases: readonly [Uint8Array, RegExp][] = [
    [new Uint8Array(), /is empty/],
    [Buffer.from("hello"), /not a readable PKCS#10/],
    [forged, /signature does not belong/],
    [Buffer.alloc(5_000), /has 5000 bytes/],
  ];
  for (const [bytes, message] of cases) {
    const wish = { csr: bytes, identity: { kind: "agent", agentId: AGENT_ID } as const, validSeconds: DAY_SECONDS };
    await assert.rejects(issueClientCertificate(authority, wish, systemRandom, NOW_MS), message);
  }
});

test("an authority whose key belongs to another certificate does not open", async () => {
  const [one, other] = [await createAuthority(systemRandom, NOW_MS), await createAuthority(systemRandom, NOW_MS)];
  await assert.rejects(openAuthority({ certificatePem: one.certificatePem, keyPem: other.keyPem }), /not a pair/);
});

test("what is not exactly one of our names is nobody", () => {
  for (const text of [
    undefined,
    "",
    "DNS:coordinator.fleetban.internal",
    "URI:urn:fleetban:agent:x",
    `URI:urn:fleetban:agent:${AGENT_ID}, URI:urn:fleetban:admin:root`,
    "URI:urn:fleetban:admin:%ZZ",
  ]) {
    assert.equal(identityOf(text), undefined, text);
  }
});
