/** What a record of the hand-off file says. */
import { type Prefix, tryParsePrefix } from "@fleetban/proto/model/prefix";
import { jailName, type Seen } from "../seen.ts";
import type { HandoffFields } from "./handoff-framing.ts";

const ALL_PORTS = ["0:65535", "1:65535", "0-65535", "all", "any"];
const UNFILLED = /^<[a-z]+>$/;

/** Whether the agent itself has just asked fail2ban to lift that address's bans. */
export type IsAsked = (address: Prefix) => boolean;

/** `writtenByMs`: the record was written no later; what is read late counts as ended by its time, not by hand. */
export function seenInHandoff(fields: HandoffFields, writtenByMs: number, isAsked: IsAsked): Seen {
  const [mark, kind, jail = "", ip = "", , , time = "", banTime = "", failures, banCount, restored] = fields;
  const [protocol = "", ports = "", evidence = ""] = mark === "FLEETBAN1" ? [] : fields.slice(11);
  if (kind !== "ban" && kind !== "prolong" && kind !== "unban") return { kind: "nothing" }; // start, flush, stop
  const address = tryParsePrefix(ip);
  const bannedAtMs = Math.round(Number(time) * 1_000);
  if (address === undefined || time === "" || !Number.isFinite(bannedAtMs)) return { kind: "junk", source: "fail2ban" };
  const seen = {
    ...{ source: "fail2ban" as const, address, jail: jailName(jail), bannedAtMs, atMs: writtenByMs },
    banSeconds: readSeconds(banTime),
  };
  if (kind === "unban") return { ...seen, kind: "end", cause: isAsked(address) ? "asked" : "time-or-hand" };
  return {
    ...seen,
    kind: kind === "ban" && restored === "1" ? "restored" : kind,
    failures: readCount(failures),
    banCount: readCount(banCount),
    ...{ protocol: known(protocol), ports: readPorts(ports), evidence: evidence.replace(/\ufffd$/, "") }, // cut by bytes
  };
}

/** A jail that names no ports has all of them. */
function readPorts(text: string): string {
  return ALL_PORTS.includes(text) ? "" : known(text);
}

/** A tag that this fail2ban does not fill in stays as it is written. */
function known(text: string): string {
  return UNFILLED.test(text) ? "" : text;
}

/** Negative = for ever; a tag that this fail2ban does not know stays as it is written: unknown. */
function readSeconds(text: string): number {
  const seconds = Math.round(Number(text));
  if (text === "" || !Number.isFinite(seconds)) return 0;
  return seconds < 0 ? -1 : seconds;
}

function readCount(text: string | undefined): number {
  const count = Number(text);
  return Number.isInteger(count) && count >= 0 && count <= 0xffff_ffff ? count : 0;
}
