/**
 * Keeps the firewall's `own` set at what this machine lives on now (invariant 5): looked at again as soon as somebody logs in
 * or the resolvers change, and every few seconds for addresses and gateways, of which the kernel's files tell nobody.
 */
import { createBell } from "@fleetban/kit/bell";
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { type MachineFacts, ownPrefixes } from "./own-prefixes.ts";
import type { ProtectedSessions } from "./protected-sessions.ts";

export interface OwnAddressesParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Resolves the names of the coordinators that it is given. */
  readonly readMachine: (coordinators: readonly string[]) => Promise<MachineFacts>;
  readonly coordinators: () => readonly string[];
  /** Undefined = agent.yaml says not to. */
  readonly sessions: ProtectedSessions | undefined;
  /** Calls back when a file that matters changes. */
  readonly watch: (onChange: () => void) => { close(): void };
  readonly setOwn: (prefixes: readonly Prefix[]) => void;
}

export interface OwnAddresses {
  /** As last seen. */
  readonly machine: MachineFacts;
  /** Addresses that are protected because somebody is logged in from there, or was within the hour. */
  readonly sessions: readonly Prefix[];
  /** Names are resolved anew. */
  look(): Promise<void>;
  /** As the coordinator's settings have it. */
  setSessionProtection(isOn: boolean): void;
  run(signal: AbortSignal): Promise<never>;
}

const LOOK_EVERY_MS = 3_000;
const RESOLVE_EVERY_MS = 15_000;
/** A log that grows all the time is read once in so long. */
const LOOK_AT_MOST_MS = 500;
const NOTHING: MachineFacts = { interfaces: [], routes4: "", routes6: "", resolvers: "", coordinators: [] };

export function createOwnAddresses(parts: OwnAddressesParts): OwnAddresses {
  const { clock, log } = parts;
  const changed = createBell(clock);
  let machine = NOTHING;
  let sessions: readonly Prefix[] = [];
  let isProtecting = true;
  let resolvedAtMs = Number.NEGATIVE_INFINITY;

  async function look(): Promise<void> {
    const isDue = clock.monotonicMs() - resolvedAtMs >= RESOLVE_EVERY_MS;
    if (isDue) resolvedAtMs = clock.monotonicMs();
    const read = await parts.readMachine(isDue ? parts.coordinators() : []);
    machine = isDue ? read : { ...read, coordinators: machine.coordinators };
    sessions = isProtecting && parts.sessions !== undefined ? await lookAtSessions(parts.sessions) : [];
    parts.setOwn([...new Set([...ownPrefixes(machine), ...sessions])]);
  }

  /** Where they can't be read, those that are known stay. */
  async function lookAtSessions(reader: ProtectedSessions): Promise<readonly Prefix[]> {
    try {
      const found = await reader.look();
      const isNew = found.some((peer) => !sessions.includes(peer));
      if (isNew) log.info("agent.sessions_protected", { addresses: found.length });
      return found;
    } catch (error) {
      log.warn("agent.sessions_unread", { error });
      return sessions;
    }
  }

  return {
    get machine() {
      return machine;
    },
    get sessions() {
      return sessions;
    },
    async look() {
      resolvedAtMs = Number.NEGATIVE_INFINITY;
      await look();
    },
    setSessionProtection(isOn) {
      if (isOn === isProtecting) return;
      isProtecting = isOn;
      changed.ring();
    },
    async run(signal) {
      const watch = parts.watch(changed.ring);
      try {
        for (;;) {
          const heard = changed.rings;
          await look();
          await clock.sleep(LOOK_AT_MOST_MS, signal);
          await changed.wait(heard, LOOK_EVERY_MS, signal);
        }
      } finally {
        watch.close();
      }
    },
  };
}
