/** The nftables backend: tables, sets and rules of our own in the kernel's nf_tables, by netlink alone. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Backend } from "../backend.ts";
import { BackendError, remedyFor } from "../backend-error.ts";
import type { OpenNetlink } from "../ipset/netlink-socket.ts";
import type { EntryHook } from "../ipset/rule-text.ts";
import { createChangeWatch } from "./change-watch.ts";
import { type Conversation, createConversation } from "./conversation.ts";
import { type KernelFeatures, tryFeatures } from "./kernel-features.ts";
import { MessageWriter } from "./message-writer.ts";
import { TABLE_NAME } from "./names.ts";
import { createRules } from "./rules.ts";
import { createReadings } from "./set-reading.ts";
import { createSets, type NftSets } from "./sets.ts";
import { tableError } from "./table-error.ts";
import { deleteTable } from "./table-requests.ts";
import { FAMILIES, readTables } from "./table-view.ts";

export interface NftablesBackendParts {
  /** Rejects where netlink can't be spoken. */
  readonly loadNetlink: () => Promise<OpenNetlink>;
  readonly clock: Pick<Clock, "timer" | "sleep">;
  readonly log: Log;
  /** Default: conntrack. */
  readonly hook?: EntryHook;
  /** Default: what this kernel turns out to have. */
  readonly features?: KernelFeatures;
}

/** Rejects with a BackendError that says what to install, load or permit. */
export async function openNftablesBackend(parts: NftablesBackendParts): Promise<Backend> {
  const { clock, log, hook = "conntrack" } = parts;
  const open = await load(parts.loadNetlink);
  const [socket, watchSocket] = [open(0), open(0)];
  const closeAll = () => {
    for (const each of [socket, watchSocket]) each.close();
  };
  try {
    const writer = new MessageWriter();
    const kernel = createConversation(socket, writer);
    const features = parts.features ?? tryFeatures(kernel);
    log.debug("firewall.nftables_opened", { ...features });
    const changes = createChangeWatch({ socket: watchSocket, writer, clock, log });
    const sets = createSets({ kernel, features, readings: createReadings(open, writer), onChanged: changes.seen });
    const rules = createRules({ kernel, log, hook, onChanged: changes.seen });
    return {
      ...sets,
      name: "nftables",
      via: "netlink",
      ensureRules: rules.ensure,
      ruleState: rules.state,
      watchRules: changes.watch,
      async uninstall() {
        const removed = await removeTables(kernel, sets);
        changes.seen();
        return removed;
      },
      async close() {
        changes.close();
        closeAll();
      },
    };
  } catch (error) {
    closeAll();
    throw error;
  }
}

async function load(loadNetlink: () => Promise<OpenNetlink>): Promise<OpenNetlink> {
  try {
    return await loadNetlink();
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new BackendError("nftables-missing", `netlink: can't be spoken (${said})`, {
      ...remedyFor("nftables-missing"),
      cause,
    });
  }
}

async function removeTables(kernel: Conversation, sets: NftSets): Promise<readonly string[]> {
  const headers = await sets.headers();
  const { families } = readTables(kernel);
  const removed: string[] = [];
  for (const family of FAMILIES) {
    const [failed] = kernel.transact([deleteTable(family)]).values();
    if (failed !== undefined) {
      if (families[family].sets.size + families[family].chains.size === 0) continue; // it isn't there
      throw tableError(`remove table ${TABLE_NAME} for IPv${family}`, failed);
    }
    removed.push(`table ${family === 4 ? "ip" : "ip6"} ${TABLE_NAME} of nftables`);
    const ofFamily = headers.filter((header) => header.family === family);
    removed.push(...ofFamily.map(({ name, entries }) => `set ${name} (${entries ?? "many"} entries)`));
  }
  return removed;
}
