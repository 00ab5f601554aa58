/** A policy that is not in force, read as if it were: with numbers for the lists that it would bring. */
import { type List, type ListNo, listNo } from "@fleetban/proto/model/listing";
import { readPolicy } from "../policy/policy-file.ts";
import { type PolicyInForce, policyInForce } from "../policy/policy-in-force.ts";
import { listsOfPolicy } from "../policy/policy-lists.ts";

export interface Candidate extends PolicyInForce {
  /** Those that there are, and those that it would bring. */
  readonly lists: ReadonlyMap<ListNo, List>;
}

/** Lower numbers are fleetban's own lists. */
export const FIRST_OWN_LIST = 16;
const LEASE_SECONDS = 86_400;

/** Throws a ConfigError that tells every mistake. */
export function candidateOf(
  body: string,
  name: string,
  place: { readonly policyNo: number; readonly retentionSeconds: number },
  present: Iterable<List>,
): Candidate {
  const file = readPolicy(body, name);
  const lists = new Map([...present].map((list) => [list.list, list]));
  const names = new Map([...lists.values()].map((list) => [list.name, list.list]));
  for (const wanted of listsOfPolicy(file)) {
    const number = names.get(wanted.name) ?? listNo(Math.max(FIRST_OWN_LIST - 1, ...lists.keys()) + 1);
    const known = lists.get(number);
    const requires = wanted.reach.kind === "ports" ? [1, 2] : [1];
    const made = { effect: "deny", leaseSeconds: LEASE_SECONDS, documentationOnly: false } as const;
    lists.set(number, { ...made, ...known, ...wanted, list: number, requires });
    names.set(wanted.name, number);
  }
  return { ...policyInForce(file, { ...place, listNumbers: names }), lists };
}
