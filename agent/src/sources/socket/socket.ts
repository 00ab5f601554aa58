/** The third source: a unix socket that takes JSON lines from any tool on this machine that may open it (its owner). */
import type { Log } from "@fleetban/kit/log";
import { lineOf, refused } from "./answer.ts";
import type { ListenUnix, SocketConnection } from "./connection.ts";
import { type ConversationParts, converse } from "./conversation.ts";

const CONNECTIONS_MAX = 64;

export interface SocketParts extends ConversationParts {
  readonly listen: ListenUnix;
  readonly log: Log;
}

/** Runs until `signal` aborts, then rejects with its reason. */
export async function serveSocket(parts: SocketParts, path: string, signal: AbortSignal): Promise<never> {
  const open = new Set<SocketConnection>();
  function onConnection(connection: SocketConnection): void {
    if (open.size >= CONNECTIONS_MAX) return void refuse(connection);
    open.add(connection);
    converse(parts, connection, signal)
      .catch((error) => {
        if (!signal.aborted) parts.log.debug("sources.connection_failed", { error });
      })
      .finally(() => open.delete(connection));
  }
  await parts.listen(path, onConnection, signal);
  return await aborted(signal);
}

async function refuse(connection: SocketConnection): Promise<void> {
  await connection.write(lineOf(refused(`over ${CONNECTIONS_MAX} connections; close some`))).catch(() => undefined); // it hung up
  connection.end();
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
