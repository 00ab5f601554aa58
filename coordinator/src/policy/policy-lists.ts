/** The policy's own lists and its groups, as the ledger and the fleet take them. */
import type { Reach } from "@fleetban/proto/model/listing";
import type { PolicyFile } from "./policy-table.ts";
import { parsePorts } from "./port-ranges.ts";

/** A deny list of the operator's own. */
export interface PolicyList {
  readonly name: string;
  readonly reach: Reach;
}

export interface PolicyGroup {
  readonly name: string;
  /** Names of deny lists; `exempt` and `probe` have all agents. */
  readonly lists: readonly string[];
}

export function listsOfPolicy({ lists }: PolicyFile): PolicyList[] {
  return Object.entries(lists).map(([name, { ports, protocol }]) => {
    const ranges = ports === undefined ? undefined : parsePorts(ports);
    return { name, reach: ranges === undefined ? { kind: "all-traffic" } : { kind: "ports", protocol, ranges } };
  });
}

/** Groups that the policy does not name enforce all lists. */
export function groupsOfPolicy({ groups }: PolicyFile): PolicyGroup[] {
  return Object.entries(groups).map(([name, { lists }]) => ({ name, lists }));
}
