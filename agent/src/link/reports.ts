/**
 * Tells the coordinator what the kernel holds: Applied a list, and the agent's Health.
 *
 * Applied goes out once the change is in the kernel, at once where the delta asks for it, else at most once a
 * second a list and only the newest. Health goes out regularly and whenever a warnable comes or goes, and Hits with it
 * when there are any.
 */
import { createBell } from "@fleetban/kit/bell";
import type { Clock } from "@fleetban/kit/clock";
import type { AgentMessage, Applied, Health, Hits } from "@fleetban/proto/wire/fleet";

const APPLIED_INTERVAL_MS = 1_000;
const HEALTH_INTERVAL_MS = 10_000;

export interface Reports {
  /** `list` changed; `withinMs` 0 = when convenient. */
  due(list: number, withinMs: number): void;
  /** It is worth another report then, if there is none before. */
  again(list: number, afterMs: number): void;
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
  /** Taken is told: nobody asks for these again. */
  readonly hits: () => readonly Hits[];
}

export function createReports(parts: ReportParts): Reports {
  const { clock } = parts;
  const dueAtMs = new Map<number, number>();
  const sooner = createBell(clock);
  let healthAtMs = 0;

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
    for (const value of parts.hits()) await send({ kind: { $case: "hits", value } });
  }

  function again(list: number, afterMs: number): void {
    const atMs = clock.monotonicMs() + afterMs;
    if (atMs >= (dueAtMs.get(list) ?? Number.POSITIVE_INFINITY)) return;
    dueAtMs.set(list, atMs);
    sooner.ring();
  }

  return {
    due: (list, withinMs) => again(list, withinMs > 0 ? 0 : APPLIED_INTERVAL_MS),
    again,
    healthDue() {
      healthAtMs = 0;
      sooner.ring();
    },
    async run(send, signal) {
      for (const list of parts.lists()) dueAtMs.set(list, clock.monotonicMs());
      healthAtMs = 0;
      for (;;) {
        signal.throwIfAborted();
        const heard = sooner.rings;
        await sendDue(send);
        const nextMs = Math.min(healthAtMs, ...dueAtMs.values());
        await sooner.wait(heard, nextMs - clock.monotonicMs(), signal);
      }
    },
  };
}
