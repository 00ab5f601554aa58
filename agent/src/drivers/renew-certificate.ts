/** Asks the coordinator for a new certificate over a new key, with the present one as proof. */

import { createCertificateRequest } from "@fleetban/kit/certificate-request";
import { CLIENT_CHANNEL_OPTIONS } from "@fleetban/proto/wire/channel";
import { FleetClient, type RenewResponse } from "@fleetban/proto/wire/fleet";
import { credentials, Metadata } from "@grpc/grpc-js";
import type { Identity } from "./identity-files.ts";

const DEADLINE_MS = 20_000;

export async function renewCertificate(identity: Identity, address: string): Promise<Identity> {
  const { keyPem, csr } = await createCertificateRequest();
  const { caPem } = identity;
  const present = [Buffer.from(caPem), Buffer.from(identity.keyPem), Buffer.from(identity.certificatePem)] as const;
  const client = new FleetClient(address, credentials.createSsl(...present), CLIENT_CHANNEL_OPTIONS);
  try {
    const answer = await new Promise<RenewResponse>((resolve, reject) => {
      client.renew({ csr }, new Metadata(), { deadline: Date.now() + DEADLINE_MS }, (error, response) => {
        if (error) reject(error);
        else resolve(response);
      });
    });
    return { ...identity, keyPem, certificatePem: answer.certificate, caPem: answer.ca };
  } finally {
    client.close();
  }
}
