/**
 * What an operator may ban, pardon or allow: parses the prefix as written and answers a mistake with its remedy.
 *
 * Keeps invariant 5: special-purpose ranges and the fleet's own addresses are never listed, whoever says so; a change
 * over much of the internet is no slip of the hand, so it wants `--yes`, and above a floor it is refused outright.
 */
import { isSingle, lengthOf, type Prefix, parsePrefix, partsOf, widen } from "@fleetban/proto/model/prefix";
import { specialPurposeOf } from "@fleetban/proto/model/special-purpose";
import { AdminError } from "./errors.ts";

export type Act = "ban" | "unban" | "allow";

/** An address that is never listed, and whose it is: `agent web1`, `coordinator`. */
export interface ProtectedAddress {
  readonly address: Prefix;
  readonly owner: string;
}

export interface Subject {
  readonly prefix: Prefix;
  /** So wide that the operator has to say `--yes`. */
  readonly isWide: boolean;
}

interface Widths {
  /** Shorter lengths are refused. */
  readonly floor: { readonly 4: number; readonly 6: number };
}

/** An agent keeps a wider exempt entry from its kernel unless approved (PROTOCOL rule 8), hence 24 there. */
const WIDTHS: Record<Act, Widths> = {
  ban: { floor: { 4: 8, 6: 19 } },
  unban: { floor: { 4: 8, 6: 24 } },
  allow: { floor: { 4: 8, 6: 24 } },
};
const WIDE = { 4: 16, 6: 32 } as const;
const DONE: Record<Act, string> = { ban: "banned", unban: "unbanned", allow: "allowed" };
const PARDONED_V6_LENGTH = 64;

export function parseSubject(act: Act, text: string): Subject {
  const prefix = parsePrefix(text);
  const { family, length } = partsOf(prefix);
  const floor = WIDTHS[act].floor[family];
  if (length < floor) throw tooWide(act, prefix, length, floor);
  const special = specialPurposeOf(prefix);
  if (special !== undefined) throw neverListed(act, prefix, special.range, special.name);
  return { prefix, isWide: length < WIDE[family] };
}

/** An operator's `unban` of one IPv6 address pardons its /64: whoever has one has them all (PROTOCOL rule 11). */
export function pardonedPrefix(prefix: Prefix, exact: boolean): Prefix {
  const { family } = partsOf(prefix);
  return family === 6 && isSingle(prefix) && !exact ? widen(prefix, PARDONED_V6_LENGTH) : prefix;
}

/** Addresses inside a wider prefix become holes; exactly one of them is no ban at all. */
export function refuseProtected(prefix: Prefix, addresses: readonly ProtectedAddress[]): void {
  const own = addresses.find(({ address }) => address === prefix);
  if (own === undefined) return;
  throw new AdminError("protected-address", `prefix ${prefix}: is an address of ${own.owner}, which is never listed`, {
    hint: "to cut off a server of the fleet use `fleetban agents revoke NAME`; it may still be banned by your own firewall",
  });
}

function tooWide(act: Act, prefix: Prefix, length: number, floor: number): AdminError {
  const what = length === 0 ? "is the whole internet" : "is wider than any one act may be";
  return new AdminError("too-wide", `prefix ${prefix}: ${what}; the widest that can be ${DONE[act]} is /${floor}`, {
    hint: `name a narrower network, such as ${exampleOf(prefix, floor)}`,
  });
}

function exampleOf(prefix: Prefix, floor: number): string {
  return lengthOf(prefix) === 0
    ? prefix.includes(":")
      ? "2001:4860::/32"
      : "8.8.8.0/24"
    : `${prefix.split("/")[0]}/${floor}`;
}

function neverListed(act: Act, prefix: Prefix, range: Prefix, name: string): AdminError {
  const where =
    range === prefix ? "is" : lengthOf(range) <= lengthOf(prefix) ? `is inside ${range},` : `contains ${range},`;
  const hint =
    act === "ban"
      ? "only globally reachable unicast addresses can be banned"
      : "fleetban never lists it; if fail2ban does, put it into `ignoreip` there";
  return new AdminError("protected-range", `prefix ${prefix}: ${where} a protected range (${name})`, { hint });
}
