/** What an operator decides a hold by, in sentences. Pure. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { coverOf, PUBLIC_COVER, shareText } from "./cover.ts";
import type { ListSize } from "./judge-change.ts";
import type { HeldChange } from "./list-holds.ts";

const EXAMPLES = 10;
/** A smaller part of the internet tells nobody anything. */
const SHARE_FROM = 0.000_01;
const CAUSES = {
  feeds: "by what its feeds name now",
  prune: "by pruning: open-ended bans that nobody tried for so long as the policy says (prune_after)",
} as const;

export function listHoldDetails({ cause, before, after, removed, added }: HeldChange): string[] {
  return [
    CAUSES[cause],
    `now: ${sizeText(before)}`,
    `after it: ${sizeText(after)}`,
    ...examples("taken off", removed, before.listings - after.listings),
    ...examples("new", added, after.listings - before.listings),
  ];
}

/** A feed's new list beside the one in force. */
export function feedHoldDetails(previous: ReadonlySet<Prefix>, wanted: readonly Prefix[]): string[] {
  const known = new Set(wanted);
  const gone = [...previous].filter((prefix) => !known.has(prefix));
  const fresh = wanted.filter((prefix) => !previous.has(prefix));
  return [
    `in force: ${sizeText({ listings: previous.size, cover: coverOf(previous) })}`,
    `held: ${sizeText({ listings: wanted.length, cover: coverOf(wanted) })}`,
    ...examples("no longer named", gone, gone.length),
    ...examples("new", fresh, fresh.length),
  ];
}

function sizeText({ listings, cover }: ListSize): string {
  const families = ([4, 6] as const).filter((family) => cover[family] > SHARE_FROM * PUBLIC_COVER[family]);
  const shares = families.map((family) => shareText(cover[family], family));
  const shown = listings === 0 || shares.length === 0 ? "" : `, ${shares.join(" and ")}`;
  return `${listings} ${listings === 1 ? "prefix" : "prefixes"}${shown}`;
}

function examples(title: string, prefixes: readonly Prefix[], count: number): string[] {
  if (prefixes.length === 0) return [];
  const shown = prefixes.slice(0, EXAMPLES);
  const all = Math.max(count, prefixes.length);
  return [`${title}: ${shown.join(", ")}${all > shown.length ? ` and ${all - shown.length} more` : ""}`];
}
