/** `fleetban-agent enroll TOKEN`, or `enroll -`: makes a key on this server and has the coordinator certify it. */
import { createCertificateRequest } from "@fleetban/kit/certificate-request";
import { VERSION } from "@fleetban/kit/drivers/version";
import { parseEnrollmentToken } from "@fleetban/proto/model/enrollment-token";
import { bytesOf } from "@fleetban/proto/model/prefix";
import { redeemToken } from "../drivers/enrollment-client.ts";
import { prepareIdentityFolder, readIdentity, saveIdentity } from "../drivers/identity-files.ts";
import { readMachineFacts } from "../drivers/machine-facts.ts";
import { readTokenText } from "../drivers/token-text.ts";
import { CLAIMS_MAX, claimedAddresses } from "../own-addresses/own-prefixes.ts";
import { EnrollError } from "./enroll-error.ts";

export interface EnrollOptions {
  readonly dataDir: string;
  /** Shown to operators. */
  readonly name: string;
  /** Where the token is when it is no argument; `-` = standard input. */
  readonly tokenFile?: string | undefined;
  /** Replace the identity that is there. */
  readonly force: boolean;
}

export async function enroll(argument: string | undefined, options: EnrollOptions): Promise<readonly string[]> {
  const place = { argument, file: options.tokenFile };
  const token = parseEnrollmentToken(await readTokenText(place, process.stdin));
  if (!options.force && readIdentity(options.dataDir) !== undefined) {
    throw new EnrollError("already-enrolled", `${options.dataDir}: this server is enrolled already`, {
      hint: "add --force to give it a new identity; revoke the old one with `fleetban agents revoke`",
    });
  }
  await prepareIdentityFolder(options.dataDir); // before the token is used up
  const { keyPem, csr } = await createCertificateRequest();
  const facts = await readMachineFacts([]);
  const addresses = claimedAddresses(facts, CLAIMS_MAX).map((address) => Buffer.from(bytesOf(address)));
  const answer = await redeemToken(token, { csr, name: options.name, programVersion: VERSION, addresses });
  const { coordinators } = answer;
  const path = await saveIdentity(options.dataDir, {
    agentId: answer.agentId,
    coordinators,
    caPem: answer.ca,
    keyPem,
    certificatePem: answer.certificate,
  });
  return [
    `enrolled as ${options.name} (${answer.agentId})`,
    `identity written to ${path}`,
    `coordinators: ${coordinators.join(", ")}`,
  ];
}
