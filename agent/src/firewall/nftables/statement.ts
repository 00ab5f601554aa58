/**
 * What our rules are made of, as data: written to the kernel as expressions (`expressions.ts`) and to the boot files as
 * text (`rule-text.ts`), so that both say the same.
 */
import type { Family } from "@fleetban/proto/model/prefix";

export type Side = "source" | "destination";

export type Statement =
  | { readonly kind: "loopback"; readonly side: "in" | "out" }
  /** An answer to a connection that this machine opened. */
  | { readonly kind: "reply" }
  | { readonly kind: "icmpv6"; readonly type: number }
  | { readonly kind: "protocol"; readonly protocol: string }
  /** Behind one that says the protocol: nft would leave a second out, and then the rules differ. */
  | {
      readonly kind: "ports";
      readonly side: Side;
      readonly first: number;
      readonly last: number;
    }
  /** TCP that opens nothing, of a connection that conntrack doesn't know. */
  | { readonly kind: "midstream" }
  /** The address's first `length` bits are in a set. */
  | {
      readonly kind: "address";
      readonly side: Side;
      readonly family: Family;
      readonly length: number;
      readonly set: string;
    }
  | { readonly kind: "count" }
  | { readonly kind: "verdict"; readonly verdict: "accept" | "drop" | "return" }
  | { readonly kind: "reset" }
  | { readonly kind: "unreachable"; readonly family: Family }
  /** Comes back when the chain has said nothing. */
  | { readonly kind: "jump"; readonly chain: string }
  | { readonly kind: "goto"; readonly chain: string };

/** One rule. */
export type Rule = readonly Statement[];
/** By name of chain. */
export type Chains = ReadonlyMap<string, readonly Rule[]>;

export const ADDRESS_BITS: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };
