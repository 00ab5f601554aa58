/**
 * The one-time token that turns a server into an agent, as an operator copies it from one terminal to another:
 *
 *     fbe1.SECRET.FINGERPRINT@host:port[,host:port]
 *
 * SECRET is 16 random bytes, FINGERPRINT the SHA-256 of the fleet's CA certificate (DER), both base64url; the addresses
 * are where the Enrollment service listens. So the token alone suffices, and the server that it is typed on trusts no
 * other coordinator than the one that made it.
 */
import { FleetbanError } from "@fleetban/kit/errors";

export interface EnrollmentToken {
  /** 16 bytes as base64url: what `EnrollRequest.token` carries. */
  readonly secret: string;
  /** SHA-256 of the CA certificate, lower-case hex. */
  readonly caFingerprint: string;
  /** `host:port` of the Enrollment service, tried in order; never empty. */
  readonly addresses: readonly string[];
}

export class EnrollmentTokenError extends FleetbanError {
  constructor(problem: string) {
    super("bad-enrollment-token", `enrollment token: ${problem}`, {
      hint: "copy the whole token as `fleetban enrollments create` printed it",
    });
    this.name = "EnrollmentTokenError";
  }
}

const VERSION = "fbe1";
const SECRET = /^[A-Za-z0-9_-]{22}$/;
const FINGERPRINT = /^[A-Za-z0-9_-]{43}$/;
const ADDRESS = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$/;
const TOKEN_MAX_CHARACTERS = 1_024;

export function formatEnrollmentToken({ secret, caFingerprint, addresses }: EnrollmentToken): string {
  return `${VERSION}.${secret}.${hexToBase64Url(caFingerprint)}@${addresses.join(",")}`;
}

export function parseEnrollmentToken(text: string): EnrollmentToken {
  const token = text.trim();
  if (token === "") throw new EnrollmentTokenError("is empty");
  if (token.length > TOKEN_MAX_CHARACTERS) throw new EnrollmentTokenError(`is longer than ${TOKEN_MAX_CHARACTERS}`);
  const at = token.indexOf("@");
  const [version, secret = "", fingerprint = "", ...more] = (at < 0 ? token : token.slice(0, at)).split(".");
  if (version !== VERSION) throw new EnrollmentTokenError(`does not begin with ${VERSION}.`);
  if (more.length > 0) throw new EnrollmentTokenError("has more parts than version, secret and fingerprint");
  if (!SECRET.test(secret)) throw new EnrollmentTokenError("the secret is cut off or damaged");
  if (!FINGERPRINT.test(fingerprint)) throw new EnrollmentTokenError("the CA fingerprint is cut off or damaged");
  if (at < 0) throw new EnrollmentTokenError("names no coordinator address");
  const addresses = token.slice(at + 1).split(",");
  const wrong = addresses.find((address) => !isAddress(address));
  if (wrong !== undefined) throw new EnrollmentTokenError(`address "${wrong}" is not host:port`);
  return { secret, caFingerprint: Buffer.from(fingerprint, "base64url").toString("hex"), addresses };
}

function isAddress(address: string): boolean {
  const port = Number(address.slice(address.lastIndexOf(":") + 1));
  return ADDRESS.test(address) && port >= 1 && port <= 65_535;
}

function hexToBase64Url(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64url");
}
