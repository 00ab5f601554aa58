/** What the feeds' functions are given by main.ts. */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import type { Braked, ListChangeWish } from "../guardrails/brake-list.ts";
import type { JudgedFeed } from "../guardrails/judge-feed.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Sql } from "../store/sql.ts";
import type { Store } from "../store/store.ts";
import type { Download } from "./download.ts";
import type { FeedDefinition } from "./feed.ts";
import type { FetchLimits, ReadFeedFile } from "./fetch-parts.ts";

export interface FeedsParts {
  readonly store: Pick<Store, "sql" | "transaction">;
  readonly ledger: Pick<Ledger, "ledgerTimeMs" | "lists" | "protectedAddresses" | "write">;
  readonly download: Download;
  readonly readFile: ReadFeedFile;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of the policy in force now. */
  readonly definitions: () => readonly FeedDefinition[];
  /** Why a list must not replace the one before without an operator's word; nothing = it may. */
  readonly judge: (sql: Sql, list: Omit<JudgedFeed, "collisions">) => Promise<readonly string[]>;
  /** Whether the whole change of a list may go on; opens a hold where not. */
  readonly brake: (wish: ListChangeWish) => Promise<Braked>;
  readonly limits: FetchLimits;
  readonly programVersion: string;
  /** Begins the name under which a feed is leased, for whoever reads the row. */
  readonly runId: string;
}

export const FETCH_LIMITS: FetchLimits = {
  deadlineMs: 60_000,
  idleMs: 20_000, // their list takes some seconds to be made
};
