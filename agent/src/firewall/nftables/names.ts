/**
 * What our things in the kernel are called. All of it is in two tables, `ip fleetban` and `ip6 fleetban`.
 *
 * A set of the firewall is a *bundle* here: a chain of its name, which looks the source up in one kernel set for single
 * addresses and in one for each prefix length in use (an interval set can't hold prefixes that overlap, and lists do), and
 * leads what is found to the chain `NAME/listed`; `NAME/to` and `NAME/cut` are the same for destinations. The kernel sets bear the bundle's name unless two bundles have changed
 * places: nftables can't rename, so it is the chain that says which kernel sets are the bundle's now.
 */
import type { SetName } from "../backend.ts";

export const TABLE_NAME = "fleetban";
/** The chain in the hook for what comes in; those for what goes out, of this machine and of who is behind it. */
export const BASE_CHAIN = "fleetban-in";
export const OUT_CHAIN = "fleetban-out";
export const THROUGH_CHAIN = "fleetban-through";
const BASE_CHAINS: ReadonlySet<string> = new Set([BASE_CHAIN, OUT_CHAIN, THROUGH_CHAIN]);
const BUNDLE = /^fleetban-[^/]*$/;
const LENGTH = /^(?<stem>[^/]+)\/(?<length>\d+)$/;
const VERSION = /\.\d+$/;

export function listedChain(name: SetName): string {
  return `${name}/listed`;
}

/** Looks destinations up as the bundle's own chain looks sources up, and leads to the next. */
export function destinationChain(name: SetName): string {
  return `${name}/to`;
}

export function cutChain(name: SetName): string {
  return `${name}/cut`;
}

/** All chains of a bundle. */
export function chainsOf(name: SetName): readonly string[] {
  return [listedChain(name), cutChain(name), name, destinationChain(name)];
}

/** A kernel set: of single addresses, or of networks of one length. */
export function kernelSetName(stem: string, length: number, bits: number): string {
  return length === bits ? stem : `${stem}/${length}`;
}

export function partsOfKernelSet(name: string, bits: number): { readonly stem: string; readonly length: number } {
  const { stem, length } = LENGTH.exec(name)?.groups ?? {};
  return stem === undefined ? { stem: name, length: bits } : { stem, length: Number(length) };
}

/** Whether a chain of this name is a bundle's. */
export function isBundleChain(chain: string): boolean {
  return BUNDLE.test(chain) && !BASE_CHAINS.has(chain);
}

/** The bundle that a stem was made for. */
export function bundleOfStem(stem: string): SetName {
  return stem.replace(VERSION, "");
}

/** The first stem for a bundle that isn't taken. */
export function freeStem(name: SetName, isTaken: (stem: string) => boolean): string {
  let stem: string = name;
  for (let version = 2; isTaken(stem); version += 1) stem = `${name}.${version}`;
  return stem;
}
