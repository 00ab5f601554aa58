/** Which origin number (`proto`) the routes of a set carry, so that a later run of the agent knows whose they are. */
import type { SetName } from "../backend.ts";
import { FIRST_TAG, TAGS } from "./protocol.ts";

/** Numbers of their own; other lists share the rest. Never change an order that was released: add behind. */
const KNOWN = ["own", "local", "probe", "exempt", "fleet", "feeds"];

/** Two lists of one number: what the planner finds in the wrong one it takes out there and adds to the other. */
export function tagOf(name: SetName): number {
  const owner = name.replace(/^fleetban-/, "").replace(/-v[46](?:-n)?$/, "");
  const known = KNOWN.indexOf(owner);
  if (known >= 0) return FIRST_TAG + known;
  let hash = 0;
  for (const letter of owner) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  return FIRST_TAG + KNOWN.length + (hash % (TAGS - KNOWN.length));
}

export function isTag(tag: number): boolean {
  return tag >= FIRST_TAG && tag < FIRST_TAG + TAGS;
}
