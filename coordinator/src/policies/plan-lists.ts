/** What a policy changes on the lists, prefix by prefix, and how much that is. Pure. */
import type { List, Listing, ListNo, Rank } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";

export interface PlannedEnd {
  readonly until: UnixSeconds;
  readonly rank: Rank;
}

export interface PlannedChange {
  readonly list: ListNo;
  readonly prefix: Prefix;
  readonly before: PlannedEnd | undefined;
  readonly after: PlannedEnd | undefined;
  /** What it would rest on; of what is removed, what it rested on. */
  readonly reasons: readonly string[];
}

export type ChangeKind = "add" | "remove" | "alter";

/** `before` and `after` are of what is in force. Absent = nothing changes. */
export function changeOf(
  subject: { readonly list: ListNo; readonly prefix: Prefix },
  before: Pick<Listing, "until" | "rank"> | undefined,
  after: PlannedEnd | undefined,
  reasons: readonly string[],
): PlannedChange | undefined {
  if (before === undefined && after === undefined) return undefined;
  if (before?.until === after?.until && before?.rank === after?.rank) return undefined;
  const { list, prefix } = subject;
  const from = before === undefined ? undefined : { until: before.until, rank: before.rank };
  return { list, prefix, before: from, after, reasons: [...new Set(reasons)] };
}

export function kindOf({ before, after }: PlannedChange): ChangeKind {
  if (before === undefined) return "add";
  return after === undefined ? "remove" : "alter";
}

export interface PlannedList {
  readonly list: List;
  /** In force now. */
  readonly listings: number;
  readonly added: readonly Prefix[];
  readonly removed: readonly Prefix[];
  readonly altered: number;
}

/** Those that change. */
export function byList(
  changes: readonly PlannedChange[],
  heads: readonly { readonly list: List; readonly inForce: number }[],
): PlannedList[] {
  return heads.flatMap(({ list, inForce }) => {
    const own = changes.filter((change) => change.list === list.list);
    if (own.length === 0) return [];
    const of = (kind: ChangeKind) => own.filter((change) => kindOf(change) === kind).map(({ prefix }) => prefix);
    return [{ list, listings: inForce, added: of("add"), removed: of("remove"), altered: of("alter").length }];
  });
}
