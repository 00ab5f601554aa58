/**
 * Asks the local fail2ban by its socket: a tenth of a millisecond, where `fail2ban-client` takes sixty.
 *
 * Reads and unbans only. An unban is remembered before it is asked for, so that fail2ban's own record of it is not
 * taken for the act of a person.
 */
import { piecesOf } from "@fleetban/kit/pieces";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { AskedUnbans } from "./asked-unbans.ts";
import { Fail2banError } from "./fail2ban-error.ts";
import { pickleRequest } from "./pickle-request.ts";
import { type PickleValue, unpickle } from "./unpickle.ts";

/** Sends a request, ended by fail2ban's mark; resolves with the answer without its own. Rejects with Fail2banError. */
export type AskFail2ban = (request: Uint8Array) => Promise<Buffer>;

export interface Fail2banServer {
  /** Whether it answers. */
  ping(): Promise<boolean>;
  version(): Promise<string>;
  /** The banned ids by jail; an id may be anything. */
  banned(): Promise<ReadonlyMap<string, readonly string[]>>;
  jails(): Promise<readonly string[]>;
  /** In all jails, and from its database. Returns how many bans were lifted. */
  unban(addresses: readonly Prefix[]): Promise<number>;
  /** Such as `bantime`, `actions`, `ignoreip`. */
  get(jail: string, key: string): Promise<PickleValue>;
  /** Lines of id, begin, length and end, in local time. */
  bannedWithTime(jail: string): Promise<readonly string[]>;
  loglevel(): Promise<string>;
  logtarget(): Promise<string>;
  /** `undefined` when it keeps none. */
  dbfile(): Promise<string | undefined>;
}

const UNBANS_PER_REQUEST = 200;

export function createFail2banServer(askSocket: AskFail2ban, asked: AskedUnbans): Fail2banServer {
  async function ask(...words: readonly string[]): Promise<PickleValue> {
    const answer = unpickle(await askSocket(pickleRequest(words)));
    if (!Array.isArray(answer) || answer.length !== 2) throw unexpected(words, answer);
    const [outcome, value] = answer as [PickleValue, PickleValue];
    if (outcome === 0) return value;
    throw new Fail2banError("fail2ban-refused", `fail2ban refuses \`${words.join(" ")}\`: ${textOf(value)}`);
  }

  async function banned(): Promise<ReadonlyMap<string, readonly string[]>> {
    const answer = await ask("banned");
    const jails = Array.isArray(answer) ? answer : [answer];
    const pairs = jails.flatMap((jail) => (jail instanceof Map ? [...jail] : []));
    return new Map(pairs.map(([jail, ids]) => [String(jail), Array.isArray(ids) ? ids.map(String) : []]));
  }

  return {
    banned,
    ping: () => ask("ping").then((answer) => answer === "pong", isUnreachable),
    version: async () => String(await ask("version")),
    jails: async () => [...(await banned()).keys()],
    async unban(addresses) {
      let lifted = 0;
      for (const some of piecesOf(addresses, UNBANS_PER_REQUEST)) {
        for (const address of some) asked.remember(address);
        lifted += Number(await ask("unban", ...some));
      }
      return lifted;
    },
    get: (jail, key) => ask("get", jail, key),
    async bannedWithTime(jail) {
      const answer = await ask("get", jail, "banip", "--with-time");
      const lines = Array.isArray(answer) ? answer.map(String) : String(answer ?? "").split("\n");
      return lines.filter((line) => line !== "");
    },
    loglevel: async () => String(await ask("get", "loglevel")),
    logtarget: async () => String(await ask("get", "logtarget")),
    async dbfile() {
      const answer = await ask("get", "dbfile");
      return answer === null || answer === "None" ? undefined : String(answer);
    },
  };
}

function isUnreachable(error: unknown): false {
  if (error instanceof Fail2banError) return false;
  throw error;
}

function unexpected(words: readonly string[], answer: PickleValue): Fail2banError {
  const message = `fail2ban's answer to \`${words.join(" ")}\` is no pair: ${textOf(answer).slice(0, 200)}`;
  return new Fail2banError("fail2ban-garbled", message);
}

function textOf(value: PickleValue): string {
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  if (typeof value === "object" && value !== null && "opaque" in value)
    return `${value.opaque}(${textOf(value.parts)})`;
  return String(value);
}
