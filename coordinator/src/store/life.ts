/**
 * A client of one connection, thrown away together with it.
 *
 * In postgres.js 3.4.9 a connection that closes while a statement waits to be written can't connect again: what waited
 * stays in front of its next start-up message, and that is never sent. It would hang for the connect timeout at every
 * try, for ever.
 */
import type postgres from "postgres";
import type { ConnectOptions } from "./connect.ts";

export type ConnectWith = (options: ConnectOptions) => postgres.Sql;

export interface Life {
  readonly client: postgres.Sql;
  /** The connection was there, or tried for, and is gone. */
  isOver: boolean;
}

export interface Lives {
  /** The present client; a new one when the last has lost its connection. */
  present(): Life;
  close(): Promise<void>;
}

const CLOSE_TIMEOUT_SECONDS = 2;

export function createLives(connectWith: ConnectWith, options: Omit<ConnectOptions, "max" | "onClosed">): Lives {
  let life: Life | undefined;
  let isClosed = false;
  function begin(): Life {
    const own = { max: 1, onClosed: () => end(begun), isWanted: () => !begun.isOver && !isClosed };
    const begun: Life = { client: connectWith({ ...options, ...own }), isOver: false };
    return begun;
  }
  return {
    present() {
      if (life === undefined || (life.isOver && !isClosed)) life = begin();
      return life; // of closed ones the last: it refuses what it is asked
    },
    async close() {
      await life?.client.end({ timeout: CLOSE_TIMEOUT_SECONDS });
      isClosed = true;
    },
  };
}

/** Refuses at once whatever still waits in it. */
function end(life: Life): void {
  if (life.isOver) return;
  life.isOver = true;
  void life.client.end({ timeout: 0 });
}
