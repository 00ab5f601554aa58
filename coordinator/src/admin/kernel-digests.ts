/**
 * What an agent's kernel must sum up to: the kernel digest of a list's listings above the agent's line.
 *
 * Reads the list once for each revision and line that agents report, when an operator looks, and remembers the newest.
 * A list that is too long to be read for a look is left unjudged.
 */
import { bucketOfPrefix, type Digest, DigestSum } from "@fleetban/proto/model/digest";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { Line } from "@fleetban/proto/wire/fleet";
import type { ListHead } from "../ledger/ledger.ts";
import type { AdminParts } from "./parts.ts";

export interface KernelDigests {
  /** Undefined = the list has moved on meanwhile, or is too long. */
  of(head: ListHead, line: Line | undefined): Promise<Digest | undefined>;
}

const MAX_LISTINGS = 300_000; // about a second
const KEPT = 16;

export function createKernelDigests({ store, ledger }: Pick<AdminParts, "store" | "ledger">): KernelDigests {
  const kept = new Map<string, Promise<Digest | undefined>>();

  async function sum({ list: { list }, revision }: ListHead, line: Line | undefined): Promise<Digest | undefined> {
    const rows = await store.sql<{ prefix: string; rank: number; revision: number }[]>`
      select g.prefix, g.rank, l.revision from lists l join listings g on g.list_no = l.list_no where l.list_no = ${list}`;
    if (rows.some((row) => row.revision !== revision)) return undefined;
    const total = new DigestSum(ledger.digestKey, list);
    for (const row of rows) {
      const prefix = parsePrefix(row.prefix);
      const isIn = line === undefined || isAbove(line, row.rank, bucketOfPrefix(ledger.digestKey, list, prefix));
      if (isIn) total.addEntry(prefix);
    }
    return total.digest;
  }

  return {
    of(head, line) {
      if (head.listings > MAX_LISTINGS) return Promise.resolve(undefined);
      const key = `${ledger.epoch} ${head.list.list} ${head.revision} ${line?.rank ?? ""} ${line?.bucket ?? ""}`;
      const known = kept.get(key);
      if (known !== undefined) return known;
      const wanted = sum(head, head.list.effect === "deny" ? line : undefined);
      kept.set(key, wanted);
      for (const oldest of kept.keys()) {
        if (kept.size <= KEPT) break;
        kept.delete(oldest);
      }
      wanted.catch(() => kept.delete(key));
      return wanted;
    },
  };
}

/** The line is exclusive. */
function isAbove(line: Line, rank: number, bucket: number): boolean {
  return rank < line.rank || (rank === line.rank && bucket < line.bucket);
}
