/** A new certificate for an agent that still has a good one; the old one stays good until its own end. */
import type { RenewRequest, RenewResponse } from "@fleetban/proto/wire/fleet";
import type { Agent } from "../fleet/agent.ts";
import { EnrollmentError } from "./errors.ts";
import { countCertificatesOfDay, insertAgentCertificate, lockAgent } from "./queries.ts";
import { certify, type EnrollmentParts } from "./redeem.ts";

/** An honest agent needs one in two months; each is a row for as long as the agent is known. */
const CERTIFICATES_A_DAY = 10;

export async function renewCertificate(
  parts: EnrollmentParts,
  agent: Agent,
  request: RenewRequest,
): Promise<RenewResponse> {
  const certificate = await certify(parts, agent.agentId, request.csr);
  await parts.store.transaction(async (sql) => {
    await lockAgent(sql, agent.agentNo);
    const ofDay = await countCertificatesOfDay(sql, agent.agentNo, parts.clock.nowMs());
    if (ofDay >= CERTIFICATES_A_DAY) {
      const message = `agent ${agent.name}: has had ${ofDay} certificates within a day already`;
      throw new EnrollmentError("too-many-certificates", message, "keep the newest of them; try again tomorrow");
    }
    await insertAgentCertificate(sql, agent.agentNo, certificate);
  });
  parts.log.info("enrollment.renewed", { agent: agent.name, endsAt: new Date(certificate.endsAtMs).toISOString() });
  return { certificate: certificate.certificatePem, ca: parts.authority.certificatePem };
}
