/** One line of the socket: a ban or unban that some tool on this machine tells. */
import { FleetbanError } from "@fleetban/kit/errors";
import { isSingle, parsePrefix } from "@fleetban/proto/model/prefix";
import { JAIL_MAX, type Seen } from "../seen.ts";

/** Code `bad-request`. */
export class RequestError extends FleetbanError {}

const KEYS = ["ip", "jail", "ban_seconds", "failures", "kind", "at"];
const DEFAULT_JAIL = "socket";
const BAN_SECONDS_MAX = 4_294_967_295;
const COUNT_MAX = 4_294_967_295;
/** A tool's clock is this machine's: what lies ahead is a mistake of units. */
const AHEAD_MAX_MS = 60_000;
const EXAMPLE = `write {"ip":"198.51.100.7","jail":"sshd","ban_seconds":600}`;

export function readRequest(line: string, nowMs: number): Seen {
  const fields = fieldsOf(line);
  const unknown = Object.keys(fields).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw refusal(`unknown key ${JSON.stringify(unknown)}`, `known are ${KEYS.join(", ")}`);
  const { ip, jail = DEFAULT_JAIL, ban_seconds: banSeconds = 0, failures = 0, kind = "ban", at } = fields;
  if (typeof ip !== "string") throw refusal("no ip", EXAMPLE);
  const address = parsePrefix(ip);
  if (!isSingle(address)) throw refusal(`ip ${ip} is a network`, "give each address by itself");
  const isName = typeof jail === "string" && jail !== "" && jail.length <= JAIL_MAX;
  if (!isName) throw refusal("jail is no text of 1 to 64 characters", "name what banned it, such as sshd");
  const common = { source: "socket" as const, address, jail };
  const seconds = readWhole("ban_seconds", banSeconds, -1, BAN_SECONDS_MAX);
  const atMs = at === undefined ? nowMs : readMoment(at, nowMs);
  if (kind === "unban") return { ...common, kind: "end", bannedAtMs: undefined, banSeconds: 0, atMs, cause: "hand" };
  if (kind !== "ban") throw refusal(`kind ${JSON.stringify(kind)}`, "write ban or unban");
  const count = readWhole("failures", failures, 0, COUNT_MAX);
  return { ...common, kind, bannedAtMs: atMs, banSeconds: seconds, failures: count, banCount: 0, atMs };
}

function fieldsOf(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new RequestError("bad-request", `no JSON: ${(cause as Error).message}; ${EXAMPLE}`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw refusal("no JSON object", EXAMPLE);
}

function readWhole(key: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return Number(value);
  throw refusal(`${key} ${JSON.stringify(value)}`, `write a whole number from ${least} to ${most}`);
}

/** Unix seconds, with a fraction or without. */
function readMoment(value: unknown, nowMs: number): number {
  const atMs = typeof value === "number" ? Math.round(value * 1_000) : Number.NaN;
  if (atMs >= 0 && atMs <= nowMs + AHEAD_MAX_MS) return atMs;
  throw refusal(`at ${JSON.stringify(value)}`, "write the time in Unix seconds, not ahead of now");
}

function refusal(what: string, remedy: string): RequestError {
  return new RequestError("bad-request", `${what}; ${remedy}`, { hint: remedy });
}
