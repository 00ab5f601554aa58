/** Who is at the other end of a call: address, and the client certificate that TLS has verified. */
import type { ServerUnaryCall } from "@grpc/grpc-js";
import type { PeerCertificate } from "../fleet/identify.ts";

type Call = Pick<ServerUnaryCall<unknown, unknown>, "getPeer" | "getAuthContext">;

export function peerAddressOf(call: Call): string {
  const peer = call.getPeer(); // address:port, IPv6 without brackets
  const address = peer.slice(0, Math.max(0, peer.lastIndexOf(":")));
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

/** Undefined = none, or none of this fleet's. */
export function peerCertificateOf(call: Call): PeerCertificate | undefined {
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined) return undefined;
  return { serial: certificate.serialNumber.toLowerCase(), subjectAltName: certificate.subjectaltname };
}
