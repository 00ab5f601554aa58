/** What the feeds' functions are given by main.ts. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { Ledger } from "../ledger/ledger.ts";
import type { Store } from "../store/store.ts";
import type { FetchLimits } from "./abuseipdb.ts";
import type { Download } from "./download.ts";
import type { FeedDefinition } from "./feed.ts";

export interface FeedsParts {
  readonly store: Pick<Store, "sql" | "transaction">;
  readonly ledger: Pick<Ledger, "ledgerTimeMs" | "protectedAddresses" | "write">;
  readonly download: Download;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly definitions: readonly FeedDefinition[];
  readonly limits: FetchLimits;
  readonly programVersion: string;
  /** Begins the name under which a feed is leased, for whoever reads the row. */
  readonly runId: string;
}

export const FETCH_LIMITS: FetchLimits = {
  deadlineMs: 60_000,
  idleMs: 20_000, // their list takes some seconds to be made
};
