/**
 * Redeems an enrollment token: learns the fleet's CA by the fingerprint in the token, then asks for a certificate.
 *
 * The first connection believes nobody: it only reads the certificate chain that the coordinator presents and takes
 * the CA whose SHA-256 is the token's. The token's secret travels on the second one, verified against that CA.
 */
import { connect, type DetailedPeerCertificate } from "node:tls";
import type { EnrollmentToken } from "@fleetban/proto/model/enrollment-token";
import { CLIENT_CHANNEL_OPTIONS, COORDINATOR_NAME } from "@fleetban/proto/wire/channel";
import { EnrollmentClient, type EnrollRequest, type EnrollResponse } from "@fleetban/proto/wire/enrollment";
import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { EnrollError } from "../commands/enroll-error.ts";

const CONNECT_DEADLINE_MS = 10_000;
const CALL_DEADLINE_MS = 20_000;

/** Tries the token's addresses in turn; only "not there" moves on, a refusal of the token is final. */
export async function redeemToken(
  token: EnrollmentToken,
  request: Omit<EnrollRequest, "token">,
): Promise<EnrollResponse> {
  const unreachable: string[] = [];
  for (const address of token.addresses) {
    let caPem: string;
    try {
      caPem = await readAuthority(address, token.caFingerprint);
    } catch (cause) {
      if (cause instanceof EnrollError) throw cause;
      unreachable.push(`${address} (${(cause as Error).message})`);
      continue;
    }
    return await enroll(address, caPem, { ...request, token: token.secret });
  }
  throw new EnrollError("coordinator-unreachable", `no coordinator answers: ${unreachable.join(", ")}`, {
    hint: "check the address in the token and that its port is open from here",
  });
}

function readAuthority(address: string, fingerprint: string): Promise<string> {
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(address.slice(at + 1)),
      servername: COORDINATOR_NAME,
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false, // nothing is sent on it, and the chain is compared with the token's fingerprint
      timeout: CONNECT_DEADLINE_MS,
    });
    socket.once("timeout", () => socket.destroy(new Error(`no answer within ${CONNECT_DEADLINE_MS / 1_000} s`)));
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      const authority = findAuthority(socket.getPeerCertificate(true), fingerprint);
      socket.destroy();
      if (authority !== undefined) resolve(authority);
      else {
        reject(
          new EnrollError("wrong-coordinator", `${address} is not the coordinator that made this token`, {
            hint: "make a new token with `fleetban enrollments create`; if the address is right, somebody stands between",
          }),
        );
      }
    });
  });
}

function findAuthority(leaf: DetailedPeerCertificate, fingerprint: string): string | undefined {
  const wanted = fingerprint.toLowerCase();
  const seen = new Set<string>();
  for (let certificate: DetailedPeerCertificate | undefined = leaf; certificate?.raw !== undefined; ) {
    const found = certificate.fingerprint256.replaceAll(":", "").toLowerCase();
    if (found === wanted) return pemOf(certificate.raw);
    if (seen.has(found)) return undefined; // a self-signed one is its own issuer
    seen.add(found);
    certificate = certificate.issuerCertificate;
  }
  return undefined;
}

function pemOf(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function enroll(address: string, caPem: string, request: EnrollRequest): Promise<EnrollResponse> {
  const client = new EnrollmentClient(address, credentials.createSsl(Buffer.from(caPem)), CLIENT_CHANNEL_OPTIONS);
  return new Promise<EnrollResponse>((resolve, reject) => {
    client.enroll(request, new Metadata(), { deadline: Date.now() + CALL_DEADLINE_MS }, (error, response) => {
      if (error) reject(refusal(address, error));
      else resolve(response);
    });
  }).finally(() => client.close());
}

function refusal(address: string, error: ServiceError): EnrollError {
  return new EnrollError("enrollment-refused", `the coordinator at ${address} refuses: ${error.details}`, {
    cause: error,
    hint: "make a new token with `fleetban enrollments create`",
  });
}
