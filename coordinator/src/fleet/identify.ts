/**
 * Which agent a call comes from, by the client certificate that TLS has verified against the fleet's CA.
 *
 * The certificate must be of the agents' kind and known, neither it nor its agent revoked, and not past its end (TLS
 * looks at that at the handshake only; a stream that outlives it is ended by agent-stream.ts). Keeps invariant 8.
 */
import { type Identity, identityOf } from "../enrollment/identity.ts";
import type { Sql } from "../store/sql.ts";
import type { Agent } from "./agent.ts";
import { FleetError } from "./errors.ts";
import { agentOfCertificate } from "./queries.ts";

/** What a driver reads of the peer's certificate. */
export interface PeerCertificate {
  /** Lower-case hex. */
  readonly serial: string;
  readonly subjectAltName: string | undefined;
}

const ENROLL_ANEW = "enroll this server anew with `fleetban-agent enroll TOKEN`";

export async function identifyAgent(sql: Sql, peer: PeerCertificate | undefined, nowMs: number): Promise<Agent> {
  const identity = peerIdentity(peer);
  if (identity.kind !== "agent") {
    throw new FleetError("certificate-wrong-kind", "certificate of an operator: opens the Admin service only");
  }
  const found = await agentOfCertificate(sql, peer?.serial ?? "");
  if (found === undefined || found.agent.agentId !== identity.agentId) {
    const message = `certificate ${peer?.serial}: is not known here; was the coordinator's database replaced?`;
    throw new FleetError("certificate-unknown", message, ENROLL_ANEW);
  }
  if (found.isRevoked) {
    const message = `certificate of agent ${found.agent.name}: was revoked by an operator`;
    throw new FleetError("certificate-revoked", message, ENROLL_ANEW);
  }
  if (found.agent.certificateEndsAtMs <= nowMs) throw certificateExpired(found.agent);
  return found.agent;
}

export function certificateExpired({ name, certificateEndsAtMs }: Agent): FleetError {
  const message = `certificate of agent ${name}: ended at ${new Date(certificateEndsAtMs).toISOString()}`;
  return new FleetError("certificate-expired", message, ENROLL_ANEW);
}

export function peerIdentity(peer: PeerCertificate | undefined): Identity {
  if (peer === undefined) throw new FleetError("certificate-missing", "no client certificate: this service needs one");
  const identity = identityOf(peer.subjectAltName);
  if (identity === undefined) {
    throw new FleetError("certificate-wrong-kind", "client certificate: names neither an agent nor an operator");
  }
  return identity;
}
