import assert from "node:assert/strict";
import { test } from "node:test";
import { createCertificateRequest } from "@fleetban/kit/certificate-request";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { CLIENT_CHANNEL_OPTIONS } from "@fleetban/proto/wire/channel";
import { FleetClient } from "@fleetban/proto/wire/fleet";
import { HealthClient, ServingStatus } from "@fleetban/proto/wire/health";
import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import { until } from "../../../test/support/until.ts";
import { createAuthority, issueClientCertificate, openAuthority } from "../enrollment/certificates.ts";
import { type Pair, startCoordinator, type TestCoordinator, unary } from "./coordinator.fixture.ts";

const AGENT_ID = "0b6f1a52-5f3e-4d61-9d0e-3f6a6ef3a001";

test("each service opens to its own kind of certificate and to nobody else's", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.enroll("web1");
  const operator = await coordinator.adminPair("anna");
  const matrix = {
    "agent at Fleet": await renewal(coordinator, agent),
    "agent at Admin": await statusCall(coordinator, agent),
    "operator at Admin": await statusCall(coordinator, operator),
    "operator at Fleet": await renewal(coordinator, operator),
  };
  assert.deepEqual(matrix, {
    "agent at Fleet": "OK",
    "agent at Admin": "PERMISSION_DENIED: certificate of an agent: opens the Fleet service only",
    "operator at Admin": "OK",
    "operator at Fleet": "PERMISSION_DENIED: certificate of an operator: opens the Admin service only",
  });
});

test("no certificate, one of another CA, one that has ended: TLS itself refuses them", async (t) => {
  const coordinator = await startCoordinator(t);
  const nowMs = Date.now();
  const foreign = await openAuthority(await createAuthority(systemRandom, nowMs));
  const request = await createCertificateRequest();
  const identity = { kind: "agent", agentId: AGENT_ID } as const;
  const pairOf = async (authority: typeof foreign, atMs: number): Promise<Pair> => {
    const wish = { csr: request.csr, identity, validSeconds: 60 };
    const { certificatePem } = await issueClientCertificate(authority, wish, systemRandom, atMs);
    return { keyPem: request.keyPem, certificatePem, caPem: coordinator.caPem };
  };
  const noCertificate = new FleetClient(
    coordinator.fleetTarget,
    credentials.createSsl(Buffer.from(coordinator.caPem)),
    CLIENT_CHANNEL_OPTIONS,
  );
  t.after(() => noCertificate.close());
  assert.match(await outcome(unary(noCertificate, noCertificate.renew, { csr: request.csr })), /^UNAVAILABLE/);
  assert.match(await renewal(coordinator, await pairOf(foreign, nowMs)), /^UNAVAILABLE/);
  assert.match(await renewal(coordinator, await pairOf(coordinator.authority, nowMs - 3_600_000)), /^UNAVAILABLE/);
});

test("a certificate of this CA that the database does not know opens nothing", async (t) => {
  const coordinator = await startCoordinator(t);
  const { csr, keyPem } = await createCertificateRequest();
  const pairOf = async (identity: { kind: "agent"; agentId: string } | { kind: "admin"; name: string }) => {
    const wish = { csr, identity, validSeconds: 60 };
    const issued = await issueClientCertificate(coordinator.authority, wish, systemRandom, Date.now());
    return { keyPem, certificatePem: issued.certificatePem, caPem: coordinator.caPem };
  };
  const agent = await renewal(coordinator, await pairOf({ kind: "agent", agentId: AGENT_ID }));
  assert.match(agent, /^UNAUTHENTICATED: certificate [0-9a-f]{32}: is not known here/);
  const operator = await statusCall(coordinator, await pairOf({ kind: "admin", name: "anna" }));
  assert.equal(operator, "PERMISSION_DENIED: certificate of operator anna: is revoked or not known here");
});

test("a revoked agent and a revoked operator are refused at their next call", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin } = coordinator;
  const agent = await coordinator.enroll("web1");
  const operator = await coordinator.adminPair("anna");
  await unary(admin, admin.revokeAgent, { agent: "web1", reason: "gone" });
  await unary(admin, admin.revokeAdminCertificate, { certificate: "anna", reason: "left" });
  const refused = "PERMISSION_DENIED: certificate of agent web1: was revoked by an operator";
  assert.equal(await renewal(coordinator, agent), refused);
  assert.match(await statusCall(coordinator, operator), /^PERMISSION_DENIED: certificate of operator anna: is revoked/);
});

test("a renewed certificate is good, and the one before it stays good until its own end", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.enroll("web1");
  const { csr, keyPem } = await createCertificateRequest();
  const client = coordinator.fleetClient(agent);
  const renewed = await unary(client, client.renew, { csr });
  const next = { keyPem, certificatePem: renewed.certificate, caPem: renewed.ca };
  assert.equal(await renewal(coordinator, next), "OK");
  assert.equal(await renewal(coordinator, agent), "OK");
});

test("a client that trusts another CA, or wants another name, does not talk to this coordinator", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.enroll("web1");
  const foreign = await createAuthority(systemRandom, Date.now());
  assert.match(await renewal(coordinator, { ...agent, caPem: foreign.certificatePem }), /^UNAVAILABLE/);
});

test("while the database is away a call says so, and works again when it is back", async (t) => {
  const coordinator = await startCoordinator(t);
  const { admin } = coordinator;
  const seen = new Set<string>();
  for (let kills = 0; seen.size < 2 && kills < 5; kills += 1) {
    await coordinator.database.killServer(); // it may be back before it is asked
    await until("an answer that works again", async () => {
      const answer = await outcome(unary(admin, admin.listAgents, { agent: "" }));
      seen.add(answer);
      return answer === "OK";
    });
  }
  assert.deepEqual([...seen].sort(), ["OK", "UNAVAILABLE: the coordinator's database does not answer; try again soon"]);
});

test("grpc.health.v1 answers on both ports and the socket, for the services that are there", async (t) => {
  const coordinator = await startCoordinator(t);
  const tls = credentials.createSsl(Buffer.from(coordinator.caPem));
  const enrollment = new HealthClient(coordinator.enrollmentTarget, tls, CLIENT_CHANNEL_OPTIONS);
  const socket = new HealthClient(`unix:${coordinator.adminSocket}`, credentials.createInsecure());
  t.after(() => [enrollment, socket].map((client) => client.close()));
  const ask = async (client: HealthClient, service: string) =>
    outcome(
      unary(client, client.check, { service }).then((answer) => assert.equal(answer.status, ServingStatus.SERVING)),
    );
  assert.equal(await ask(enrollment, ""), "OK");
  assert.equal(await ask(enrollment, "fleetban.v1.Enrollment"), "OK");
  assert.match(await ask(enrollment, "fleetban.v1.Admin"), /^NOT_FOUND/);
  assert.equal(await ask(socket, "fleetban.v1.Admin"), "OK");
});

function renewal(coordinator: TestCoordinator, pair: Pair): Promise<string> {
  const client = coordinator.fleetClient(pair);
  return outcome(createCertificateRequest().then(({ csr }) => unary(client, client.renew, { csr })));
}

function statusCall(coordinator: TestCoordinator, pair: Pair): Promise<string> {
  const client = coordinator.adminClient(pair);
  return outcome(unary(client, client.getStatus, {}));
}

async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "OK";
  } catch (error) {
    const { code, details } = error as ServiceError;
    return `${status[code]}: ${details}`;
  }
}
