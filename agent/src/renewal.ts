/** Renews the agent's certificate when a third of its life is left; tried each hour until it succeeds. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Warnables } from "./health/warnables.ts";

const LOOK_EVERY_MS = 3_600_000;
const WARN_BEFORE_MS = 7 * 86_400_000;
const RENEW_AT_SHARE = 1 / 3;

export interface CertificateLife {
  readonly beginsAtMs: number;
  readonly endsAtMs: number;
}

export interface RenewalParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly warnables: Warnables;
  /** Of the certificate in use; undefined = not enrolled. */
  readonly life: () => CertificateLife | undefined;
  readonly renew: () => Promise<void>;
}

export async function renewWhenDue(parts: RenewalParts, signal: AbortSignal): Promise<never> {
  const { clock, log, warnables } = parts;
  for (;;) {
    const life = parts.life();
    if (life !== undefined && isRenewalDue(life, clock.nowMs())) {
      await parts.renew().then(
        () => log.info("agent.certificate_renewed"),
        (error: unknown) => log.warn("agent.certificate_not_renewed", { error }),
      );
    }
    const endsAtMs = parts.life()?.endsAtMs;
    warnables.set("certificate-ends-soon", endsAtMs !== undefined && endsAtMs - clock.nowMs() < WARN_BEFORE_MS);
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

export function isRenewalDue({ beginsAtMs, endsAtMs }: CertificateLife, nowMs: number): boolean {
  return endsAtMs - nowMs < (endsAtMs - beginsAtMs) * RENEW_AT_SHARE;
}
