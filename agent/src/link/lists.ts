/** What the link hands over to the mirror and the firewall. Implemented by ../enforcement.ts. */
import type { Delta, List, SnapshotChunk, Welcome } from "@fleetban/proto/wire/fleet";

/** `passed-over`: the list is too large for this machine; what it has of it stays, and the stream serves the others. */
export type DeltaOutcome =
  | { readonly kind: "applied" }
  | { readonly kind: "passed-over" }
  | { readonly kind: "differs"; readonly reason: string };
export type ChunkOutcome =
  | { readonly kind: "more" }
  | { readonly kind: "passed-over" }
  | { readonly kind: "complete" }
  | { readonly kind: "differs"; readonly reason: string };

export interface LinkLists {
  welcomed(welcome: Welcome): Promise<void>;
  delta(delta: Delta): Promise<DeltaOutcome>;
  snapshotChunk(chunk: SnapshotChunk): Promise<ChunkOutcome>;
  lists(lists: readonly List[]): Promise<void>;
  removed(list: number, approved: boolean): Promise<void>;
}
