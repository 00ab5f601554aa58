/** A new certificate for an agent that still has a good one; the old one stays good until its own end. */
import type { RenewRequest, RenewResponse } from "@fleetban/proto/wire/fleet";
import type { Agent } from "../fleet/agent.ts";
import { insertAgentCertificate } from "./queries.ts";
import { certify, type EnrollmentParts } from "./redeem.ts";

export async function renewCertificate(
  parts: EnrollmentParts,
  agent: Agent,
  request: RenewRequest,
): Promise<RenewResponse> {
  const certificate = await certify(parts, agent.agentId, request.csr);
  await insertAgentCertificate(parts.store.sql, agent.agentNo, certificate);
  parts.log.info("enrollment.renewed", { agent: agent.name, endsAt: new Date(certificate.endsAtMs).toISOString() });
  return { certificate: certificate.certificatePem, ca: parts.authority.certificatePem };
}
