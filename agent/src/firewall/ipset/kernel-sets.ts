/** The sets' part of a backend: what netlink and the `ipset` program do each in its way, and what they agree on. */
import type { Backend, SetHeader, SetSpec } from "../backend.ts";
import { BackendError, remedyFor } from "../backend-error.ts";
import { SET_TYPE } from "./protocol.ts";

export type KernelSets = Pick<
  Backend,
  "via" | "createSet" | "swapSets" | "destroySet" | "apply" | "addRun" | "headers" | "readSet" | "testEntry" | "close"
>;

/** A header with what tells whether the set is of our kind. */
export interface KernelHeader extends SetHeader {
  readonly type: string;
  readonly hasTimeouts: boolean;
}

/** What doesn't begin with it is somebody else's. */
export function isOwnSet(name: string): boolean {
  return name.startsWith("fleetban-");
}

/** Throws when a set that was there before can't serve: a swap with one without timeouts would lose them all. */
export function checkKind(header: KernelHeader, { name, family }: SetSpec): void {
  const wanted = `${SET_TYPE} for IPv${family} with timeouts`;
  const found = `${header.type} for IPv${header.family} ${header.hasTimeouts ? "with" : "without"} timeouts`;
  if (found === wanted) return;
  throw new BackendError("set-mismatch", `set ${name}: is ${found}, must be ${wanted}`, remedyFor("set-mismatch"));
}
