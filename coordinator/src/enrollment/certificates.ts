/**
 * The fleet's own certificate authority: makes itself, the coordinator's server certificate and the clients' ones.
 *
 * Everything is ECDSA P-256. A client certificate is made of the request's key and nothing else of the request; what it
 * may do stands in its identity (identity.ts) and in the extended key usage: a client's certificate is no server's.
 */
import "reflect-metadata"; // what @peculiar/x509 is built on asks for it, and must find it first
import { createHash, webcrypto } from "node:crypto";
import type { Random } from "@fleetban/kit/random";
import { tryParsePrefix } from "@fleetban/proto/model/prefix";
import { CERTIFICATE_REQUEST_MAX_BYTES, COORDINATOR_NAME } from "@fleetban/proto/wire/channel";
import * as x509 from "@peculiar/x509";
import { CertificateError } from "./errors.ts";
import { type Identity, urnOf } from "./identity.ts";

export interface KeyPair {
  readonly certificatePem: string;
  /** PKCS#8, PEM. */
  readonly keyPem: string;
}

export interface Authority {
  readonly certificatePem: string;
  /** SHA-256 of the certificate in DER, lower-case hex. */
  readonly fingerprint: string;
  readonly endsAtMs: number;
  readonly certificate: x509.X509Certificate;
  readonly key: webcrypto.CryptoKey;
}

export interface ClientCertificate {
  readonly certificatePem: string;
  /** Lower-case hex. */
  readonly serial: string;
  /** SHA-256 of the public key, lower-case hex. */
  readonly keyFingerprint: string;
  readonly issuedAtMs: number;
  readonly endsAtMs: number;
}

export interface ServerCertificate extends KeyPair {
  readonly endsAtMs: number;
}

export interface ClientWish {
  /** PKCS#10, DER. */
  readonly csr: Uint8Array;
  readonly identity: Identity;
  readonly validSeconds: number;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 20 * 365;
const SERVER_DAYS = 90;
/** A machine whose clock is behind finds a certificate valid all the same. */
const BACKDATED_MS = DAY_MS;

export async function createAuthority(random: Random, nowMs: number): Promise<KeyPair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const serialNumber = newSerial(random);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber,
    name: `CN=fleetban CA ${serialNumber.slice(0, 8)}`,
    notBefore: new Date(nowMs - BACKDATED_MS),
    notAfter: new Date(nowMs + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pemOf(certificate), keyPem: await exportKey(keys.privateKey) };
}

/** Refuses a key that does not belong to the certificate, such as after a half-restored data directory. */
export async function openAuthority(pair: KeyPair): Promise<Authority> {
  const certificate = new x509.X509Certificate(pair.certificatePem);
  const der = x509.PemConverter.decodeFirst(pair.keyPem);
  const key = await webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"]);
  const publicKey = await certificate.publicKey.export(ALGORITHM, ["verify"]);
  const probe = Buffer.from("fleetban");
  const signature = await webcrypto.subtle.sign(ALGORITHM, key, probe);
  if (!(await webcrypto.subtle.verify(ALGORITHM, publicKey, signature, probe))) {
    throw new CertificateError("authority-damaged", "certificate authority: key and certificate are not a pair", {
      hint: "restore both files of the CA folder from the same backup",
    });
  }
  return {
    certificatePem: pemOf(certificate),
    fingerprint: sha256Hex(new Uint8Array(certificate.rawData)),
    endsAtMs: certificate.notAfter.getTime(),
    certificate,
    key,
  };
}

/**
 * The chain holds the authority too: an agent that enrolls compares it with the fingerprint in its token. `hosts` are names
 * and addresses for clients that check whom they have reached by what they asked for.
 */
export async function issueServerCertificate(
  authority: Authority,
  random: Random,
  nowMs: number,
  hosts: readonly string[] = [],
): Promise<ServerCertificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const endsAtMs = Math.min(nowMs + SERVER_DAYS * DAY_MS, authority.endsAtMs);
  const certificate = await sign(authority, {
    serialNumber: newSerial(random),
    subject: `CN=${COORDINATOR_NAME}`,
    nowMs,
    endsAtMs,
    publicKey: keys.publicKey,
    purpose: x509.ExtendedKeyUsage.serverAuth,
    alternativeNames: [{ type: "dns", value: COORDINATOR_NAME }, ...hosts.map(hostName)],
  });
  const certificatePem = `${pemOf(certificate)}${authority.certificatePem}`;
  return { certificatePem, keyPem: await exportKey(keys.privateKey), endsAtMs };
}

export async function issueClientCertificate(
  authority: Authority,
  wish: ClientWish,
  random: Random,
  nowMs: number,
): Promise<ClientCertificate> {
  const publicKey = await publicKeyOf(wish.csr);
  const serial = newSerial(random);
  const endsAtMs = Math.min(nowMs + wish.validSeconds * 1_000, authority.endsAtMs);
  const certificate = await sign(authority, {
    serialNumber: serial,
    subject: wish.identity.kind === "agent" ? `CN=${wish.identity.agentId}, OU=agent` : "OU=admin",
    nowMs,
    endsAtMs,
    publicKey: await publicKey.export(ALGORITHM, ["verify"]),
    purpose: x509.ExtendedKeyUsage.clientAuth,
    alternativeNames: [{ type: "url", value: urnOf(wish.identity) }],
  });
  const keyFingerprint = sha256Hex(new Uint8Array(publicKey.rawData));
  return { certificatePem: pemOf(certificate), serial, keyFingerprint, issuedAtMs: nowMs, endsAtMs };
}

interface Signing {
  readonly serialNumber: string;
  readonly subject: string;
  readonly nowMs: number;
  readonly endsAtMs: number;
  readonly publicKey: webcrypto.CryptoKey;
  readonly purpose: x509.ExtendedKeyUsage;
  readonly alternativeNames: readonly AlternativeName[];
}

interface AlternativeName {
  readonly type: "dns" | "ip" | "url";
  readonly value: string;
}

async function sign(authority: Authority, signing: Signing): Promise<x509.X509Certificate> {
  return x509.X509CertificateGenerator.create({
    serialNumber: signing.serialNumber,
    subject: signing.subject,
    issuer: authority.certificate.subject,
    notBefore: new Date(signing.nowMs - BACKDATED_MS),
    notAfter: new Date(signing.endsAtMs),
    signingAlgorithm: ALGORITHM,
    signingKey: authority.key,
    publicKey: signing.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([signing.purpose], true),
      new x509.SubjectAlternativeNameExtension([...signing.alternativeNames]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(signing.publicKey),
    ],
  });
}

function hostName(host: string): AlternativeName {
  return { type: tryParsePrefix(host) === undefined ? "dns" : "ip", value: host };
}

/** The request's signature proves that whoever asks has the key. */
async function publicKeyOf(csr: Uint8Array): Promise<x509.PublicKey> {
  if (csr.length === 0) throw badRequest("is empty");
  if (csr.length > CERTIFICATE_REQUEST_MAX_BYTES) {
    throw badRequest(`has ${csr.length} bytes, at most ${CERTIFICATE_REQUEST_MAX_BYTES} are taken`);
  }
  let request: x509.Pkcs10CertificateRequest;
  let isSigned: boolean;
  try {
    request = new x509.Pkcs10CertificateRequest(Uint8Array.from(csr));
    isSigned = isP256(request.publicKey.algorithm) && (await request.verify());
  } catch (cause) {
    throw badRequest("is not a readable PKCS#10 request", cause);
  }
  if (!isP256(request.publicKey.algorithm)) throw badRequest("its key is not ECDSA P-256");
  if (!isSigned) throw badRequest("its signature does not belong to its key");
  return request.publicKey;
}

function isP256(algorithm: { name: string; namedCurve?: string }): boolean {
  return algorithm.name === ALGORITHM.name && algorithm.namedCurve === ALGORITHM.namedCurve;
}

function badRequest(problem: string, cause?: unknown): CertificateError {
  return new CertificateError("bad-certificate-request", `certificate request ${problem}`, {
    hint: "send a PKCS#10 request in DER over an ECDSA P-256 key, signed by it",
    cause,
  });
}

/** 16 bytes, positive and without leading zeros, so that every tool writes it alike. */
function newSerial(random: Random): string {
  const bytes = random.bytes(16);
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return Buffer.from(bytes).toString("hex");
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
