/**
 * The last look at how much a deny list covers, in the commit itself (keeps invariant 5): whoever plans a large change has
 * it judged before, this stops what was not. Only asked where a commit adds a lot.
 */
import type { List, ListNo } from "@fleetban/proto/model/listing";
import { familyOf, type Prefix } from "@fleetban/proto/model/prefix";
import { type Cover, coverOf, PUBLIC_COVER, shareText } from "../guardrails/cover.ts";
import type { Sql } from "../store/sql.ts";
import type { ListMove } from "./change-queries.ts";
import { LedgerError } from "./ledger-error.ts";

/** A /16, or as many networks of 64 bits: what single addresses add to a commit stays far below. */
const ASKED_ABOVE = 65_536n;

export interface AboveCeiling {
  readonly list: ListNo;
  readonly error: LedgerError;
}

export async function listAboveCeiling(
  sql: Sql,
  moves: readonly ListMove[],
  lists: ReadonlyMap<ListNo, List>,
  ceiling: Cover,
): Promise<AboveCeiling | undefined> {
  for (const { list, covered } of moves) {
    const known = lists.get(list);
    const adds = ([4, 6] as const).filter((family) => covered[family] > ASKED_ABOVE);
    if (known?.effect !== "deny" || adds.length === 0) continue;
    const now = await selectCovered(sql, list);
    const family = adds.find((one) => now[one] + Number(covered[one]) > ceiling[one] * PUBLIC_COVER[one]);
    if (family === undefined) continue;
    const share = shareText(now[family] + Number(covered[family]), family);
    return {
      list,
      error: new LedgerError("above-ceiling", `list ${known.name}: would cover ${share}`, {
        hint: "list narrower networks, or raise guardrails.ceiling in the policy",
      }),
    };
  }
  return undefined;
}

/** More than an IPv4 address, or than an IPv6 network of 64 bits. */
export function isWide(prefix: Prefix): boolean {
  return coverOf([prefix])[familyOf(prefix)] > 1;
}

async function selectCovered(sql: Sql, list: ListNo): Promise<Cover> {
  const [row] = await sql<{ addresses: number; networks: number }[]>`
    select covered_addresses::float8 as addresses, covered_networks::float8 as networks from lists where list_no = ${list}`;
  return { 4: row?.addresses ?? 0, 6: row?.networks ?? 0 };
}
