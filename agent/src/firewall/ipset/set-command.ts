/** Lines for the `ipset` program. Names and prefixes are our own and canonical, so nothing in them needs quoting or is looked up by DNS. */
import type { Family, Prefix } from "@fleetban/proto/model/prefix";
import type { Op, SetName, SetSpec } from "../backend.ts";
import { MAX_TIMEOUT_SECONDS, SET_TYPE } from "./protocol.ts";
import { hashSizeFor } from "./set-size.ts";

const FAMILY_WORD: Readonly<Record<Family, string>> = { 4: "inet", 6: "inet6" };

export function createLine({ name, family, maxEntries }: SetSpec): string {
  const size = `hashsize ${hashSizeFor(maxEntries)} maxelem ${maxEntries}`;
  return `create ${name} ${SET_TYPE} family ${FAMILY_WORD[family]} ${size} timeout 0 counters`;
}

export function swapLine(name: SetName, other: SetName): string {
  return `swap ${name} ${other}`;
}

export function destroyLine(name: SetName): string {
  return `destroy ${name}`;
}

export function testLine(name: SetName, prefix: Prefix): string {
  return `test ${name} ${prefix}`;
}

/** Without counters an add leaves those of an entry that is there. */
export function opLine(op: Op): string {
  if (op.kind === "remove") return `del ${op.set} ${op.prefix} -exist`;
  return `add ${op.set} ${op.prefix} timeout ${Math.min(op.timeoutSeconds, MAX_TIMEOUT_SECONDS)} -exist`;
}
