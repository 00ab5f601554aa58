/** What the coordinator's rooms know of their database. Opened by `openStore`. */
import type { Sql } from "./sql.ts";

export interface Store {
  /** For single statements, over a few connections. Never `begin` there: see `transaction`. */
  readonly sql: Sql;
  readonly kind: "embedded" | "postgres";
  /**
   * Runs `work` inside one read-committed transaction on a connection of its own; commits when it resolves. Rejects
   * with code `commit-unknown` where the connection died while the commit was under way, and nobody can say.
   */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** A connection that only ever runs transactions, one at a time: the ledger's writers each have their own. */
  openLane(): Lane;
  /** Calls `heard` with each payload, and with undefined whenever some may have been missed; until the signal aborts. */
  listen(channel: string, heard: (payload: string | undefined) => void, signal: AbortSignal): Promise<never>;
  close(): Promise<void>;
}

export interface Lane {
  /**
   * As the store's. Work that calls `commitNow` when somebody awaits its last statements (a statement is sent when it is
   * awaited) has them answered together with the commit; one that fails takes the commit with it.
   */
  transaction<T>(work: (sql: Sql, commitNow: () => void) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
