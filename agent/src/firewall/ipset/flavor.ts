/**
 * Which of the two rule stores of a machine to use: iptables on nftables, or the legacy one. Packets pass both.
 *
 * Where our chain is already, there it stays; else where other rules are; else nftables. (A fail2ban in a container that
 * wrote to the other store than its host is why this is not left to chance.)
 */
import { type RunProgramParts, runProgram } from "@fleetban/kit/run-program";
import type { Family } from "@fleetban/proto/model/prefix";
import { BackendError, remedyFor } from "../backend-error.ts";
import { CHAIN } from "./table-state.ts";

/** Behind a program's name; "" on machines that know only one store. */
export type Flavor = "-nft" | "-legacy" | "";

export const FAMILIES: readonly Family[] = [4, 6];

const PROGRAM: Readonly<Record<Family, string>> = { 4: "iptables", 6: "ip6tables" };

export function rulesProgram(flavor: Flavor, family: Family, verb: "" | "-restore" | "-save"): string {
  return `${PROGRAM[family]}${flavor}${verb}`;
}

/** Where none of these is, there is no iptables. */
export const LISTING_PROGRAMS: readonly string[] = (["-nft", "-legacy", ""] as const).map((flavor) =>
  rulesProgram(flavor, 4, "-save"),
);

/** Rejects with `iptables-missing`. */
export async function chooseFlavor(parts: RunProgramParts): Promise<Flavor> {
  const present = await flavorsPresent(parts);
  const [first, second] = present;
  if (first === undefined) {
    throw new BackendError("iptables-missing", "program iptables: not found", remedyFor("iptables-missing"));
  }
  return second !== undefined && claimOf(second.saved) > claimOf(first.saved) ? second.flavor : first.flavor;
}

/** Those whose programs there are, with what their stores hold; the preferred first. */
export async function flavorsPresent(
  parts: RunProgramParts,
): Promise<readonly { readonly flavor: Flavor; readonly saved: string }[]> {
  const named = await Promise.all((["-nft", "-legacy"] as const).map((flavor) => savedIn(parts, flavor)));
  const present = named.flat();
  return present.length > 0 ? present : await savedIn(parts, "");
}

/** Listing a store that was never used doesn't create it; a listing that fails counts as empty. */
async function savedIn(parts: RunProgramParts, flavor: Flavor): Promise<{ flavor: Flavor; saved: string }[]> {
  const listing = (family: Family) => runProgram(parts, [rulesProgram(flavor, family, "-save")]);
  const runs = await Promise.all(FAMILIES.map(listing));
  if (runs.every(({ end }) => end.kind === "not-started")) return [];
  return [{ flavor, saved: runs.map(({ stdout }) => stdout).join("") }];
}

/** 2 = our chain, 1 = somebody's rules or policy, 0 = nothing. */
function claimOf(saved: string): 0 | 1 | 2 {
  if (saved.includes(`:${CHAIN} `)) return 2;
  return /^-A |^:\S+ (-|DROP|QUEUE)/m.test(saved) ? 1 : 0;
}
