/**
 * How often one agent may begin a stream: each costs a Welcome, questions to Postgres and perhaps a snapshot, which an agent
 * in a loop, or two that throw each other out, would have made without end.
 *
 * Kept by agent and not by certificate, so that a renewed or second one is no way around it, and by this replica alone. Agents
 * don't share it: after a coordinator's restart a whole fleet comes back at once. Whoever is refused pays nothing for asking.
 */
import type { Clock } from "@fleetban/kit/clock";

export interface StreamQuota {
  /** Undefined = begin; otherwise when to ask again. */
  begin(agentNo: number): { readonly retryAfterMs: number; readonly isFirst: boolean } | undefined;
}

/** At once. An agent on a bad line needs 8 in its first half minute and 4 a minute after it. */
export const STREAMS_AT_ONCE = 20;
export const STREAMS_A_MINUTE = 10;
/** An agent comes back at random within it. */
export const QUOTA_RETRY_MS = 60_000;

const MS_A_STREAM = 60_000 / STREAMS_A_MINUTE;

export function createStreamQuota(clock: Pick<Clock, "monotonicMs">): StreamQuota {
  /** By agent the moment at which all that it has begun is forgotten; and whether it was refused since it last began. */
  const spentByAgent = new Map<number, { forgottenAtMs: number; isRefused: boolean }>();

  return {
    begin(agentNo) {
      const now = clock.monotonicMs();
      const spent = spentByAgent.get(agentNo) ?? { forgottenAtMs: now, isRefused: false };
      spentByAgent.set(agentNo, spent);
      const forgottenAtMs = Math.max(now, spent.forgottenAtMs) + MS_A_STREAM;
      if (forgottenAtMs - now > STREAMS_AT_ONCE * MS_A_STREAM) {
        const isFirst = !spent.isRefused;
        spent.isRefused = true;
        return { retryAfterMs: QUOTA_RETRY_MS, isFirst };
      }
      spent.forgottenAtMs = forgottenAtMs;
      spent.isRefused = false;
      return undefined;
    },
  };
}
