/**
 * The bans in fail2ban's own database, for when no fail2ban runs that could be asked.
 *
 * Read only: fail2ban writes it without syncs, so after a crash it may be damaged, and it may be busy. The agent itself
 * never loads SQLite; it costs a command that ends.
 */
import { access } from "node:fs/promises";
import { FleetbanError } from "@fleetban/kit/errors";

/** Codes: `database-unreadable`, `database-unknown` (no fail2ban from 0.11 on has written it). */
export class DatabaseError extends FleetbanError {}

export interface DatabaseBan {
  readonly id: string;
  readonly jail: string;
  readonly bannedAtMs: number;
  /** -1 = for ever, 0 = unknown. */
  readonly banSeconds: number;
  readonly failures: number;
  readonly banCount: number;
}

const BUSY_MS = 5_000;
/** Bans of a database that an old fail2ban has upgraded say no length; those of a day ago are taken as in force. */
const UNKNOWN_SECONDS = 86_400;
/** `bips` has the last ban of each address in each jail. */
const IN_FORCE = `
  select ip, jail, timeofban, bantime, bancount, data from bips
  where bantime = -1 or timeofban + case when bantime < 0 then ${UNKNOWN_SECONDS} else bantime end > ?
  order by timeofban, jail, ip`;

export async function readFail2banDatabase(path: string, nowMs: number): Promise<readonly DatabaseBan[]> {
  const { DatabaseSync } = await import("node:sqlite");
  await access(path).catch((cause: Error) => Promise.reject(unreadable(path, cause)));
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS });
    try {
      const tables = database.prepare("select name from sqlite_master where name in ('bips', 'fail2banDb')").all();
      if (tables.length < 2) throw unknown(path);
      return database
        .prepare(IN_FORCE)
        .all(Math.floor(nowMs / 1_000))
        .map((row) => banOf(row));
    } finally {
      database.close();
    }
  } catch (cause) {
    if (cause instanceof DatabaseError) throw cause;
    throw unreadable(path, cause as Error);
  }
}

function banOf(row: Record<string, unknown>): DatabaseBan {
  const bantime = Number(row.bantime);
  return {
    id: String(row.ip),
    jail: String(row.jail),
    bannedAtMs: Math.round(Number(row.timeofban) * 1_000),
    banSeconds: bantime === -1 ? -1 : Math.max(0, bantime),
    failures: failuresIn(String(row.data)),
    banCount: Math.max(0, Number(row.bancount)),
  };
}

function failuresIn(data: string): number {
  try {
    const failures = Number((JSON.parse(data) as { failures?: unknown } | null)?.failures);
    return Number.isInteger(failures) && failures >= 0 ? failures : 0;
  } catch {
    return 0; // matches that no UTF-8 could be made of
  }
}

function unreadable(path: string, cause: Error): DatabaseError {
  return new DatabaseError("database-unreadable", `${path}: ${cause.message}`, {
    cause,
    hint: "`fail2ban-client get dbfile` names it; of a damaged one start fail2ban, which makes a new one",
  });
}

function unknown(path: string): DatabaseError {
  return new DatabaseError("database-unknown", `${path}: is no database of a fail2ban from 0.11 on`, {
    hint: "`fail2ban-client get dbfile` names it",
  });
}
