/**
 * Tells the coordinator what the kernel holds: Applied a list, and the agent's Health.
 *
 * Applied goes out once the change is in the kernel, at once where the delta asks for it, else at most once a
 * second a list and only the newest. Health goes out regularly and whenever a warnable comes or goes.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { AgentMessage, Applied, Health } from "@fleetban/proto/wire/fleet";

const APPLIED_INTERVAL_MS = 1_000;
const HEALTH_INTERVAL_MS = 10_000;

export interface Reports {
  /** `list` changed; `withinMs` 0 = when convenient. */
  due(list: number, withinMs: number): void;
  /** Health is worth sending now. */
  healthDue(): void;
  run(send: (message: AgentMessage) => Promise<void>, signal: AbortSignal): Promise<never>;
}

export interface ReportParts {
  readonly clock: Clock;
  /** Resolves when every change known now is in the kernel, or will not get there. */
  readonly settled: () => Promise<void>;
  readonly applied: (list: number) => Promise<Applied | undefined>;
  readonly lists: () => readonly number[];
  readonly health: () => Health;
}

export function createReports(parts: ReportParts): Reports {
  const { clock } = parts;
  const dueAtMs = new Map<number, number>();
  let healthAtMs = 0;
  let wake = Promise.withResolvers<void>();
  const woken = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };

  async function sendDue(send: (message: AgentMessage) => Promise<void>): Promise<void> {
    const nowMs = clock.monotonicMs();
    const lists = [...dueAtMs].filter(([, atMs]) => atMs <= nowMs).map(([list]) => list);
    if (lists.length > 0) await parts.settled();
    for (const list of lists) {
      dueAtMs.delete(list);
      const applied = await parts.applied(list);
      if (applied !== undefined) await send({ kind: { $case: "applied", value: applied } });
    }
    if (healthAtMs > nowMs) return;
    healthAtMs = nowMs + HEALTH_INTERVAL_MS;
    await send({ kind: { $case: "health", value: parts.health() } });
  }

  return {
    due(list, withinMs) {
      const atMs = clock.monotonicMs() + (withinMs > 0 ? 0 : APPLIED_INTERVAL_MS);
      dueAtMs.set(list, Math.min(atMs, dueAtMs.get(list) ?? atMs));
      woken();
    },
    healthDue() {
      healthAtMs = 0;
      woken();
    },
    async run(send, signal) {
      for (const list of parts.lists()) dueAtMs.set(list, clock.monotonicMs());
      healthAtMs = 0;
      for (;;) {
        signal.throwIfAborted();
        const changed = wake.promise;
        await sendDue(send);
        const nextMs = Math.min(healthAtMs, ...dueAtMs.values());
        await waitFor(clock, changed, nextMs - clock.monotonicMs(), signal);
      }
    },
  };
}

async function waitFor(clock: Clock, changed: Promise<void>, waitMs: number, signal: AbortSignal): Promise<void> {
  if (waitMs <= 0) return;
  const enough = new AbortController();
  const sleep = clock.sleep(waitMs, AbortSignal.any([signal, enough.signal])).catch(() => undefined);
  await Promise.race([sleep, changed]);
  enough.abort();
}
