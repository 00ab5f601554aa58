/**
 * A new ECDSA P-256 key and a PKCS#10 request for a certificate over it.
 *
 * The request asks for nothing: its subject is empty and it has no extensions, because whoever signs decides what the
 * certificate says. That leaves so little structure that it is written out here instead of taking an ASN.1 library.
 */
import { generateKeyPair, sign } from "node:crypto";
import { promisify } from "node:util";

export interface CertificateRequest {
  /** PKCS#8, PEM; never leaves the machine. */
  readonly keyPem: string;
  /** PKCS#10, DER. */
  readonly csr: Buffer;
}

const SEQUENCE = 0x30;
const ATTRIBUTES = 0xa0; // [0] constructed
const BIT_STRING = 0x03;
const VERSION_1 = Buffer.from("020100", "hex");
const ECDSA_WITH_SHA256 = Buffer.from("300a06082a8648ce3d040302", "hex");

export async function createCertificateRequest(): Promise<CertificateRequest> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  const info = der(SEQUENCE, VERSION_1, der(SEQUENCE), spki, der(ATTRIBUTES));
  const signature = sign("sha256", info, { key: privateKey, dsaEncoding: "der" });
  const unusedBits = Buffer.from([0]);
  const csr = der(SEQUENCE, info, ECDSA_WITH_SHA256, der(BIT_STRING, unusedBits, signature));
  return { keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), csr };
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), derLength(body.length), body]);
}

function derLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x100) return Buffer.from([0x81, length]);
  return Buffer.from([0x82, length >> 8, length & 0xff]);
}
