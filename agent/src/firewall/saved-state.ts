/**
 * What the firewall must remember over a restart and can't read from the kernel: the line, what the brake keeps, lists
 * that are enforced, or withdrawn and still running out, wide exemptions that an operator approved.
 *
 * Lost, it is empty: then the line is drawn anew, and kept entries are judged by the brake again.
 */
import type { Log } from "@fleetban/kit/log";
import type { List } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Files } from "../mirror/files.ts";
import type { Line } from "./line.ts";

export interface FirewallMemory {
  readonly line?: Line | undefined;
  readonly approvedWide: readonly Prefix[];
  readonly keptBySet: Readonly<Record<string, readonly Prefix[]>>;
  readonly withdrawn: readonly List[];
  /** Lists that were enforced: should their mirror be lost, their sets are not. */
  readonly opened: readonly List[];
}

export interface SavedState {
  load(): Promise<FirewallMemory>;
  /** Soon; `memory` is asked for then. */
  save(memory: () => FirewallMemory): void;
  flush(): Promise<void>;
}

const PATH = "firewall.json";
const EMPTY: FirewallMemory = { approvedWide: [], keptBySet: {}, withdrawn: [], opened: [] };

export function createSavedState(files: Files, log: Log): SavedState {
  let last = Promise.resolve();
  let isDue = false;
  return {
    async load() {
      const bytes = await files.read(PATH);
      try {
        return bytes === undefined ? EMPTY : { ...EMPTY, ...JSON.parse(Buffer.from(bytes).toString()) };
      } catch (error) {
        log.warn("firewall.memory_damaged", { file: PATH, error });
        return EMPTY;
      }
    },
    save(memory) {
      if (isDue) return;
      isDue = true;
      last = last
        .then(() => {
          isDue = false;
          return files.writeWhole(PATH, [Buffer.from(`${JSON.stringify(memory())}\n`)]);
        })
        .catch((error: unknown) => log.warn("firewall.memory_unsaved", { file: PATH, error }));
    },
    flush: () => last,
  };
}
