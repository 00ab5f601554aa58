/**
 * The coordinator's own TLS certificate: made at each start, renewed long before its end without closing a stream.
 *
 * grpc-js takes certificates from a provider, which may give new ones at any time; it is marked experimental there, and
 * this is the only file that knows it.
 */

import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import { experimental, type ServerCredentials } from "@grpc/grpc-js";
import { type Authority, issueServerCertificate, type ServerCertificate } from "../enrollment/certificates.ts";

export interface ServerCertificates {
  /** For a port on which every client needs a certificate of this fleet. */
  readonly mutual: ServerCredentials;
  /** For a port that is open to those who have none yet. */
  readonly serverOnly: ServerCredentials;
  /** Renews until the signal aborts. */
  run(signal: AbortSignal): Promise<never>;
}

type Provider = experimental.CertificateProvider;
type CaListener = Parameters<Provider["addCaCertificateListener"]>[0];
type IdentityListener = Parameters<Provider["addIdentityCertificateListener"]>[0];

const LOOK_EVERY_MS = 3_600_000;
const RENEW_BEFORE_MS = 30 * 86_400_000; // a third of its time

export async function openServerCertificates(
  authority: Authority,
  { clock, random, log }: { clock: Clock; random: Random; log: Log },
): Promise<ServerCertificates> {
  let current = await issueServerCertificate(authority, random, clock.nowMs());
  const listeners = new Set<IdentityListener>();
  const ca = { caCertificate: Buffer.from(authority.certificatePem) };
  const provider: Provider = {
    addCaCertificateListener: (listener: CaListener) => queueMicrotask(() => listener(ca)),
    removeCaCertificateListener: () => undefined, // it never changes, so nobody is remembered
    addIdentityCertificateListener(listener) {
      listeners.add(listener);
      queueMicrotask(() => listener(identityOf(current))); // at once would be before anybody passes it on
    },
    removeIdentityCertificateListener: (listener) => void listeners.delete(listener),
  };

  return {
    // Its declaration names the parameters the other way round; identity comes first, and ours is one object anyway.
    mutual: experimental.createCertificateProviderServerCredentials(provider, provider, true),
    serverOnly: experimental.createCertificateProviderServerCredentials(provider, null, false),
    async run(signal) {
      for (;;) {
        await clock.sleep(LOOK_EVERY_MS, signal);
        if (current.endsAtMs - clock.nowMs() > RENEW_BEFORE_MS) continue;
        current = await issueServerCertificate(authority, random, clock.nowMs());
        for (const listener of listeners) listener(identityOf(current));
        log.info("enrollment.server_certificate_renewed", { endsAt: new Date(current.endsAtMs).toISOString() });
      }
    },
  };
}

function identityOf({ certificatePem, keyPem }: ServerCertificate): { certificate: Buffer; privateKey: Buffer } {
  return { certificate: Buffer.from(certificatePem), privateKey: Buffer.from(keyPem) };
}
