/** Who fetched what when: gathered in memory, written each few seconds, so that a poll costs the database nothing. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Store } from "../store/store.ts";
import { deleteOldUses, type Pulled, type Use, writeUses } from "./token-queries.ts";

export interface Uses {
  note(use: { tokenNo: number; address: string; program: string }): void;
  notePulled(tokenNo: number, address: string, pulled: Pulled): void;
  /** Writes until the signal aborts, and once more then. */
  run(signal: AbortSignal): Promise<void>;
}

const WRITE_EACH_MS = 10_000;
const PRUNE_EACH_WRITES = 360;
const KEPT_DAYS = 90;
const PROGRAM_MAX_CHARACTERS = 80;
/** A token that is used from ever new addresses fills no memory. */
const GATHERED_MAX = 10_000;

export function createUses(parts: { store: Pick<Store, "sql">; clock: Clock; log: Log }): Uses {
  const { store, clock, log } = parts;
  let gathered = new Map<string, Use>();

  async function write(): Promise<void> {
    const uses = [...gathered.values()];
    gathered = new Map();
    try {
      await writeUses(store.sql, uses);
    } catch (error) {
      log.warn("published.uses_lost", { uses: uses.length, error });
    }
  }

  return {
    note({ tokenNo, address, program }) {
      const key = `${tokenNo} ${address}`;
      const known = gathered.get(key);
      if (known === undefined && gathered.size >= GATHERED_MAX) return;
      gathered.set(key, {
        ...{ tokenNo, address, usedAtMs: clock.nowMs(), pulled: known?.pulled },
        program: program.replaceAll(/\p{Cc}/gu, "").slice(0, PROGRAM_MAX_CHARACTERS),
        requests: (known?.requests ?? 0) + 1,
      });
    },
    notePulled(tokenNo, address, pulled) {
      const key = `${tokenNo} ${address}`;
      const known = gathered.get(key) ?? { tokenNo, address, usedAtMs: clock.nowMs(), program: "", requests: 0 };
      gathered.set(key, { ...known, pulled });
    },
    async run(signal) {
      for (let writes = 1; ; writes += 1) {
        await clock.sleep(WRITE_EACH_MS, signal).catch(() => undefined);
        await write();
        if (signal.aborted) return;
        if (writes % PRUNE_EACH_WRITES === 0) await deleteOldUses(store.sql, KEPT_DAYS).catch(() => undefined); // next time
      }
    },
  };
}
