/**
 * A connection that only runs transactions, one at a time.
 *
 * Not `sql.begin`: there a connection that dies between two statements makes postgres.js 3.4.9 write to a socket that is
 * gone, out of an immediate, which ends the process. And what a dead transaction still had queued may be sent on a next
 * connection, outside of any transaction. Hence two guards: every statement checks that its connection still lives, and
 * outside of a transaction the connection is read-only.
 */
import type postgres from "postgres";
import { type ConnectWith, createLives, type Life } from "./life.ts";
import type { Sql } from "./sql.ts";
import type { Lane } from "./store.ts";
import { isConnectionFailure, StoreError } from "./store-error.ts";

const SESSION = {
  default_transaction_read_only: "on",
  // The same few statements again and again: planning a statement over day partitions takes longer than running it.
  plan_cache_mode: "force_generic_plan",
};

export function openLane(connectWith: ConnectWith): Lane {
  const lives = createLives(connectWith, { session: SESSION });
  let last: Promise<unknown> = Promise.resolve();
  return {
    transaction<T>(work: Work<T>): Promise<T> {
      const turn = last.then(() => run(lives.present(), work));
      last = turn.catch(() => undefined);
      return turn;
    },
    close: lives.close,
  };
}

type Work<T> = (sql: Sql, commitNow: () => void) => Promise<T>;

async function run<T>(life: Life, work: Work<T>): Promise<T> {
  // Sent together with the first statement: where it fails, that one has found nothing that it may write to.
  const begun = life.client.unsafe("begin read write").then(() => undefined);
  begun.catch(() => undefined); // awaited below, or what failed first is told
  let committed: Promise<void> | undefined;
  function commitNow(): void {
    committed ??= commit(life);
    committed.catch(() => undefined); // awaited below, or what failed first is told
  }
  try {
    const result = await work(
      guarded(life, () => committed !== undefined),
      commitNow,
    );
    await begun;
    await (committed ?? commit(life));
    return result;
  } catch (error) {
    // Also a fence behind all that the failed work still had under way. A connection that is gone has rolled back.
    if (!life.isOver) await life.client.unsafe("rollback").catch(() => undefined);
    throw committed !== undefined && isConnectionFailure(error) ? commitUnknown(error) : error;
  }
}

/** A commit that was sent on another connection succeeds too, and has committed nothing: hence the second look. */
async function commit(life: Life): Promise<void> {
  assertAlive(life);
  let answered: string;
  try {
    answered = (await life.client.unsafe("commit")).command;
  } catch (error) {
    throw isConnectionFailure(error) ? commitUnknown(error) : error;
  }
  assertAlive(life);
  if (answered !== "COMMIT") throw new Error(`internal error: commit of a failed transaction (${answered})`);
}

function commitUnknown(cause: unknown): StoreError {
  return new StoreError("commit-unknown", "the connection to Postgres was lost in a commit", { cause });
}

function assertAlive(life: Life): void {
  if (life.isOver) throw new StoreError("connection-lost", "the connection to Postgres was lost in a transaction");
}

function guarded(life: Life, isEnded: () => boolean): Sql {
  const { client } = life;
  function assertOpen(): void {
    assertAlive(life);
    if (isEnded()) throw new Error("internal error: a statement after the last one of a transaction");
  }
  function sql(template: TemplateStringsArray, ...parameters: never[]) {
    assertOpen();
    return client(template, ...parameters);
  }
  function unsafe(...args: Parameters<postgres.Sql["unsafe"]>) {
    assertOpen();
    return client.unsafe(...args);
  }
  return Object.assign(sql, { unsafe, array: client.array, json: client.json }) as Sql;
}
