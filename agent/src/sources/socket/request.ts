/** One line of the socket: what some tool on this machine, or a person, tells or asks. */
import { FleetbanError } from "@fleetban/kit/errors";
import { isSingle, type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { JAIL_MAX, type Seen } from "../seen.ts";

/** Code `bad-request`. */
export class RequestError extends FleetbanError {}

export type SocketRequest =
  /** `isStrict`: refused where it would not be enforced here, and answered with what became of it. */
  | { readonly kind: "tell"; readonly address: Prefix; readonly seen: Seen; readonly isStrict: boolean }
  /** Whether a strict one would be refused. */
  | { readonly kind: "check"; readonly address: Prefix }
  /** Somebody lets the address go: whatever bans it on this machine ends. */
  | { readonly kind: "lift"; readonly address: Prefix };

const KEYS = ["ip", "jail", "ban_seconds", "failures", "ban_count", "kind", "at", "reason", "strict"];
const KINDS = ["ban", "unban", "over", "import", "check", "lift"];
const DEFAULT_JAIL = "socket";
const BAN_SECONDS_MAX = 4_294_967_295;
const COUNT_MAX = 4_294_967_295;
const REASON_MAX = 1_000;
/** A tool's clock is this machine's: what lies ahead is a mistake of units. */
const AHEAD_MAX_MS = 60_000;
const EXAMPLE = `write {"ip":"198.51.100.7","jail":"sshd","ban_seconds":600}`;

export function readRequest(line: string, nowMs: number): SocketRequest {
  const fields = fieldsOf(line);
  const unknown = Object.keys(fields).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw refusal(`unknown key ${JSON.stringify(unknown)}`, `known are ${KEYS.join(", ")}`);
  const { ip, jail = DEFAULT_JAIL, kind = "ban", at, strict: isStrict = false } = fields;
  if (typeof ip !== "string") throw refusal("no ip", EXAMPLE);
  const address = parsePrefix(ip);
  if (!isSingle(address)) throw refusal(`ip ${ip} is a network`, "give each address by itself");
  const isName = typeof jail === "string" && jail !== "" && jail.length <= JAIL_MAX;
  if (!isName) throw refusal("jail is no text of 1 to 64 characters", "name what banned it, such as sshd");
  if (typeof isStrict !== "boolean") throw refusal(`strict ${JSON.stringify(isStrict)}`, "write true or false");
  const atMs = at === undefined ? nowMs : readMoment(at, nowMs);
  switch (kind) {
    case "check":
    case "lift":
      return { kind, address };
    case "over":
    case "unban": {
      // What a tool's clock has ended is nobody's act.
      const cause = kind === "over" ? "gone" : "hand";
      const end = { kind: "end", bannedAtMs: undefined, banSeconds: 0, cause } as const;
      return { kind: "tell", address, seen: { ...end, source: "socket", address, jail, atMs }, isStrict };
    }
    case "ban":
    case "import": {
      const source = kind === "import" ? "import" : "socket";
      const seen = { kind: "ban", source, address, jail, bannedAtMs: atMs, atMs, ...banFacts(fields) } as const;
      return { kind: "tell", address, seen, isStrict };
    }
    default:
      throw refusal(`kind ${JSON.stringify(kind)}`, `write ${KINDS.join(", ")}`);
  }
}

function banFacts(fields: Record<string, unknown>) {
  const { ban_seconds: banSeconds = 0, failures = 0, ban_count: banCount = 0, reason } = fields;
  const isText = reason === undefined || (typeof reason === "string" && reason.length <= REASON_MAX);
  if (!isText) throw refusal("reason is no text of up to 1000 characters", "say shortly why");
  return {
    banSeconds: readWhole("ban_seconds", banSeconds, -1, BAN_SECONDS_MAX),
    failures: readWhole("failures", failures, 0, COUNT_MAX),
    banCount: readWhole("ban_count", banCount, 0, COUNT_MAX),
    ...(reason === undefined || reason === "" ? {} : { evidence: reason }),
  };
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
