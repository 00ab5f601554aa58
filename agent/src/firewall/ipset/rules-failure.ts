/** What iptables' words mean; the only place that reads them. */
import type { ProgramRun } from "@fleetban/kit/run-program";
import type { BackendErrorCode } from "../backend-error.ts";

const WORDS: readonly (readonly [RegExp, BackendErrorCode])[] = [
  [/xtables lock/, "rules-busy"],
  [/Permission denied|Operation not permitted|Can't open socket to ipset/, "no-permission"], // the last: CAP_NET_RAW
  [/Set \S+ doesn't exist/, "set-missing"],
  [/missing kernel module|No chain\/target\/match/, "kernel-sets-missing"],
];

export function rulesFailure({ end, stderr }: Pick<ProgramRun, "end" | "stderr">): BackendErrorCode {
  if (end.kind === "not-started") return "iptables-missing";
  return WORDS.find(([words]) => words.test(stderr))?.[1] ?? "kernel-refused";
}
