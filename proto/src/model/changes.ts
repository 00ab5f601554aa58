/** Changes of a list: what a prefix became. */
import type { Listing } from "./listing.ts";
import type { Prefix } from "./prefix.ts";

export interface Change {
  readonly prefix: Prefix;
  /** The listing as it is after the change; absent = removed. */
  readonly after: Listing | undefined;
}

/** One change a prefix: the last wins. A removal stays, for whoever is at the base may hold the prefix. */
export function collapse(changes: Iterable<Change>): Change[] {
  const lastByPrefix = new Map<Prefix, Change>();
  for (const change of changes) lastByPrefix.set(change.prefix, change);
  return [...lastByPrefix.values()];
}
