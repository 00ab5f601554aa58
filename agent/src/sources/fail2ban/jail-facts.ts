/** What fail2ban is set to that concerns fleetban: which jails hand their bans over, whether its log shows them. */
import { Fail2banError } from "./fail2ban-error.ts";
import type { Fail2banServer } from "./server.ts";
import type { PickleValue } from "./unpickle.ts";

export interface Fail2banFacts {
  readonly version: string;
  /** Ban time by jail; -1 = for ever, 0 = unknown. */
  readonly banSeconds: ReadonlyMap<string, number>;
  /** Jails whose `action` lacks fleetban: their bans arrive late, by comparison or by the log. */
  readonly jailsLeftOut: readonly string[];
  /** The files that each jail reads; none where it reads the journal. */
  readonly logs: ReadonlyMap<string, readonly string[]>;
  readonly logtarget: string;
  /** Its log level is above NOTICE: the log has no bans. */
  readonly isLogSilent: boolean;
}

const ACTION = /^fleetban/;
const SILENT_LEVELS = ["WARNING", "ERROR", "CRITICAL"];

export async function readFacts(server: Fail2banServer, jails: readonly string[]): Promise<Fail2banFacts> {
  const banSeconds = new Map<string, number>();
  const logs = new Map<string, readonly string[]>();
  const jailsLeftOut: string[] = [];
  for (const jail of jails) {
    const found = await readJail(server, jail);
    if (found === undefined) continue;
    banSeconds.set(jail, found.banSeconds);
    logs.set(jail, found.logs);
    if (!found.actions.some((action) => ACTION.test(action))) jailsLeftOut.push(jail);
  }
  const logtarget = await server.logtarget();
  const isLogSilent = SILENT_LEVELS.includes((await server.loglevel()).toUpperCase());
  return { version: await server.version(), banSeconds, jailsLeftOut, logs, logtarget, isLogSilent };
}

/** `undefined` when the jail is gone since it was listed. */
async function readJail(
  server: Fail2banServer,
  jail: string,
): Promise<{ banSeconds: number; actions: readonly string[]; logs: readonly string[] } | undefined> {
  try {
    const seconds = Number(await server.get(jail, "bantime"));
    const actions = textsOf(await server.get(jail, "actions"));
    const logs = textsOf(await server.get(jail, "logpath"));
    return { banSeconds: Number.isInteger(seconds) ? Math.max(-1, seconds) : 0, actions, logs };
  } catch (error) {
    if (error instanceof Fail2banError && error.code === "fail2ban-refused") return undefined;
    throw error;
  }
}

function textsOf(value: PickleValue): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
