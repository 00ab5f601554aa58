/**
 * The ledger as the other rooms see it: the durable, versioned record of all lists. Opened by `openLedger`
 * (open-ledger.ts).
 *
 * Everything that changes a list goes through `commitSightings` or `write`; everything that is sent to agents comes
 * from memory through `deltaSince`. Keeps invariants 1 and 2.
 */
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import type { Digest, DigestKey } from "@fleetban/proto/model/digest";
import type { Epoch, List, Listing, ListNo, Rank, Revision, Seq } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Sighting } from "@fleetban/proto/model/sighting";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import type { Sql } from "../store/sql.ts";

/**
 * Why a prefix is listed; `key` is the number of the strike, ban, feed, allowlist row, pardon, or policy on trial; of one that is widened,
 * how many are listed inside it.
 */
export interface Reason {
  readonly kind: "strike" | "ban" | "widened" | "feed" | "allowed" | "pardon" | "hole" | "trial";
  readonly key: string;
}

/** What a prefix shall be on a list. A `to` equal to what is there changes nothing but the reasons. */
export interface ListChange {
  readonly list: ListNo;
  readonly prefix: Prefix;
  readonly to:
    | {
        readonly until: UnixSeconds;
        readonly rank: Rank;
        readonly begun?: UnixSeconds;
        readonly reasons: readonly Reason[];
      }
    | undefined;
}

export interface ListHead {
  readonly list: List;
  readonly revision: Revision;
  readonly digest: Digest;
  readonly listings: number;
  /** Of that revision, Unix milliseconds of the ledger's clock; 0 = never changed. */
  readonly committedAtMs: number;
}

/** Sightings of one spool incarnation with consecutive numbers. */
export interface SightingBatch {
  readonly agentNo: number;
  readonly incarnation: Uint8Array;
  readonly firstSeq: number;
  /** The agent's clock. */
  readonly sentAtMs: number;
  /** The ledger's clock: `ledgerTimeMs()` when the message came in. */
  readonly receivedAtMs: number;
  readonly sightings: readonly Sighting[];
}

export interface CommittedSightings {
  /** Durable up to here. */
  readonly seq: Seq;
  /** Of this batch: stored, and no evidence. */
  readonly overQuota: number;
  readonly refused: number;
  /** The revision that it made; absent when no list changed. */
  readonly revision: Revision | undefined;
}

export interface Cause {
  readonly kind: "sightings" | "operator" | "feed" | "expiry" | "policy" | "claim";
  /** Number of the audit record, feed fetch, policy or agent. */
  readonly no?: number;
}

export interface WriteOptions {
  /** An operator has approved what an agent's brake would refuse. */
  readonly approved?: boolean;
  /** Agents that get these changes shall report `Applied` within this time. */
  readonly reportWithinMs?: number;
}

export interface Written {
  /** Absent when no list changed. */
  readonly revision: Revision | undefined;
  /** Listings put and removed, holes included. */
  readonly changed: number;
  /** What a feed or the policy wanted on a deny list and a guardrail kept off: protected, allowed or pardoned. */
  readonly refused: readonly Prefix[];
}

/** Runs inside the commit, the ledger's row locked; `now` is Postgres' clock. */
export type Plan = (sql: Sql, now: UnixSeconds) => Promise<readonly ListChange[]>;

/** Where an agent's mirror of a list stands. */
export interface MirrorPosition {
  readonly epoch: Epoch;
  readonly revision: Revision;
  readonly digest: Digest;
  /** A snapshot that broke off. */
  readonly partial?: { readonly revision: Revision; readonly sha256: Uint8Array; readonly chunks: number };
}

export type SnapshotReason = "new" | "ahead" | "too old" | "differs" | "larger than the list";

/** A kept snapshot as the messages to send, encoded once for everybody. */
export interface ChunkSource {
  /** Number of the first chunk that the agent has not got. */
  readonly first: number;
  readonly count: number;
  /** An encoded CoordinatorMessage. */
  message(chunk: number): Buffer;
}

export type Outgoing =
  | { readonly kind: "nothing" }
  /** The agent lacks a feature that the list requires. */
  | { readonly kind: "withheld" }
  | {
      readonly kind: "delta";
      /** An encoded CoordinatorMessage. */
      readonly message: Buffer;
      readonly toRevision: Revision;
      /** The position of a mirror that has applied it: what to ask with next. */
      readonly to: MirrorPosition;
      readonly bytes: number;
    }
  | {
      readonly kind: "snapshot";
      readonly reason: SnapshotReason;
      readonly chunks: ChunkSource;
      readonly revision: Revision;
      readonly to: MirrorPosition;
    };

export interface Placed {
  readonly list: ListNo;
  readonly listing: Listing;
}

/** `observed`: the address its stream came from; `claimed`: what the agent says; `approved`: by an operator. */
export type AddressOrigin = "observed" | "claimed" | "approved";

export interface AgentAddress {
  readonly address: Prefix;
  readonly origin: AddressOrigin;
}

export interface ProtectedAddress extends AgentAddress {
  /** 0 = the coordinators' own. */
  readonly agentNo: number;
}

export interface AckedSpool {
  readonly incarnation: Uint8Array;
  readonly seq: Seq;
  /** `act` of the sighting with that number, 16 hexadecimal digits. */
  readonly act: string;
}

export interface Ledger {
  /** Changes when the database is found to have lost commits. */
  readonly epoch: Epoch;
  readonly digestKey: DigestKey;
  /** Postgres' clock, by an offset kept to it: Unix milliseconds. */
  ledgerTimeMs(): number;
  lists(): readonly ListHead[];

  /** Resolves when it is durable, in group commit with whatever else came in; retried while Postgres is away. */
  commitSightings(batch: SightingBatch): Promise<CommittedSightings>;
  ackedSpools(agentNo: number, incarnations: readonly Uint8Array[]): Promise<readonly AckedSpool[]>;

  /** One commit of at most 2,000 changes. `plan` may be run again when Postgres went away before the commit. */
  write(cause: Cause, plan: Plan, options?: WriteOptions): Promise<Written>;
  /**
   * For plans: decides these prefixes anew from what is in the database (bans, strikes, allowlist, pardons) and gives
   * what that makes of them on `fleet` and on the lists of the policy's own that they are known on, and of what was
   * listed around them for their sake. After `insert into bans …`, `return ledger.decideAnew(sql, [prefix], now)`.
   */
  decideAnew(sql: Sql, prefixes: readonly Prefix[], now: UnixSeconds): Promise<readonly ListChange[]>;

  /** From memory. Ask again with `to` until it says `nothing`. */
  deltaSince(list: ListNo, from: MirrorPosition | undefined, features: readonly number[]): Outgoing;
  /** Follows until this revision is in memory, or the database has no more. Before the first `deltaSince` of a stream. */
  catchUp(revision: Revision): Promise<void>;
  /** The listener gets the lists that changed, after each commit that changed one, own or another replica's. */
  subscribe(listener: (lists: readonly ListNo[], revision: Revision) => void): () => void;

  get(list: ListNo, prefix: Prefix): Listing | undefined;
  /** The list as it is now. Copies made without waiting in between are of one point in history. */
  copyOf(list: ListNo): Blocklist;
  /** Listings equal to the prefix or around it, on all lists, widest first. */
  covering(prefix: Prefix): readonly Placed[];
  /** Listings within the prefix, itself not included; read from the database, at most `limit`. */
  inside(prefix: Prefix, limit: number): Promise<readonly Placed[]>;

  setAgentAddresses(agentNo: number, addresses: readonly AgentAddress[]): Promise<{ held: readonly Prefix[] }>;
  protectedAddresses(): readonly ProtectedAddress[];

  /** While the ledger's clock has jumped, sightings are stored and acknowledged, and nothing is decided. */
  readonly clockHeld: boolean;
  /** The last commit of sightings found no room on the database's disk, and is being tried again. */
  readonly storeFull: boolean;
  /** Writer, follower, expiry, kept snapshots, partitions; until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}
