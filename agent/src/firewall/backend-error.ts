/** Failures of a whole request to a backend; a single refused op is a value (`Refusal`), not an error. */
import { type ErrorDetails, FleetbanError } from "@fleetban/kit/errors";
import type { RefusalCode } from "./backend.ts";

export type BackendErrorCode =
  | RefusalCode
  /** A set of ours exists and is of another kind. */
  | "set-mismatch"
  /** A rule that isn't ours names it, or another program reads it. */
  | "set-in-use"
  /** Neither netlink nor the program reaches the kernel's ip_set. */
  | "kernel-sets-missing"
  | "iptables-missing"
  /** The kernel's nf_tables is not there, or can't be reached. */
  | "nftables-missing"
  /** None of those that were tried. */
  | "no-backend"
  /** Another program holds the lock on the rules. */
  | "rules-busy"
  /** The helper program died or fell silent. */
  | "ipset-failed";

export class BackendError extends FleetbanError {
  declare readonly code: BackendErrorCode;

  constructor(code: BackendErrorCode, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
  }
}

/** As `details` of an error of this kind, whoever reports it. */
export function remedyFor(code: BackendErrorCode): ErrorDetails {
  const hint = REMEDY[code];
  return hint === undefined ? {} : { hint };
}

const REMEDY: Readonly<Partial<Record<BackendErrorCode, string>>> = {
  "no-permission": "run the agent as root, or give its unit CAP_NET_ADMIN and CAP_NET_RAW (AmbientCapabilities=)",
  "set-full": "raise the agent's capacity, or let fewer lists reach this machine",
  "set-mismatch": "remove that set (ipset destroy NAME) and start the agent again",
  "set-in-use": "remove the rule that names it (iptables-save | grep NAME), then try again",
  "kernel-sets-missing":
    "load the kernel's modules (modprobe -a ip_set ip_set_hash_net xt_set); on Debian and Ubuntu they are in the kernel package, on RHEL in kernel-modules; a container needs them on its host",
  "iptables-missing":
    "install it (Debian, Ubuntu: apt install iptables; RHEL, Fedora: dnf install iptables-nft; Alpine: apk add iptables)",
  "nftables-missing":
    "load the kernel's module (modprobe nf_tables); a container needs it on its host, and the agent needs koffi's prebuilt library to reach it",
  "rules-busy": "find the program that holds /run/xtables.lock (fuser -v /run/xtables.lock)",
};
