/** Brings the rules that lead into our table to what is wished, in each family that the kernel has. */
import type { Family } from "@fleetban/proto/model/prefix";
import { BackendError } from "../backend-error.ts";
import type { KernelRoutes } from "./kernel-routes.ts";
import { type PolicyRule, ruleText } from "./policy-rule.ts";

/** What differs from the wished ones, for people; undefined = nothing. */
export function missingRule(kernel: KernelRoutes, wished: readonly PolicyRule[]): string | undefined {
  for (const family of kernel.families) {
    const { missing, foreign } = difference(kernel, family, wished);
    if (missing[0] !== undefined) return `ip rule ${ruleText(missing[0])} (IPv${family})`;
    if (foreign[0] !== undefined) return `another ip rule ${ruleText(foreign[0])} (IPv${family})`;
  }
  return undefined;
}

export function ensureRules(kernel: KernelRoutes, wished: readonly PolicyRule[]): void {
  for (const family of kernel.families) {
    const { missing, foreign } = difference(kernel, family, wished);
    // One preference holds one rule of ours: what is in the way goes first.
    for (const rule of foreign) kernel.changeRule("remove", family, rule);
    for (const rule of missing) kernel.changeRule("add", family, rule);
  }
  const missing = missingRule(kernel, wished);
  if (missing === undefined) return;
  throw new BackendError("kernel-refused", `${missing}: the kernel took another; rules by port need Linux 4.17`);
}

function difference(kernel: KernelRoutes, family: Family, wished: readonly PolicyRule[]) {
  const present = kernel.rules(family);
  const lackedBy = (rules: readonly PolicyRule[]) => (rule: PolicyRule) =>
    !rules.some((one) => ruleText(one) === ruleText(rule));
  return { missing: wished.filter(lackedBy(present)), foreign: present.filter(lackedBy(wished)) };
}
