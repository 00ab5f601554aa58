/**
 * The brakes of a list as a whole: may it change so much at once, whatever the cause? Pure.
 *
 * A list falls below its floor when a change takes away more than it leaves, and rises above its ceiling when it covers an
 * absurd share of the internet. Judged over the whole change before its first slice. What has expired is nobody's change
 * and is not counted (keeps invariant 5).
 */
import { aboveCeiling, type Cover, shareText } from "./cover.ts";
import type { Guardrails } from "./guardrails.ts";

export interface ListSize {
  /** In force: not expired. */
  readonly listings: number;
  readonly cover: Cover;
}

export interface ListJudgement {
  /** Fewer listings would be left than the floor asks for. */
  readonly floor: string | undefined;
  /** More would be covered than the ceiling allows. */
  readonly ceiling: string | undefined;
}

export function judgeChange(before: ListSize, after: ListSize, guardrails: Guardrails): ListJudgement {
  return { floor: floorReason(before, after, guardrails), ceiling: ceilingReason(before, after, guardrails) };
}

function floorReason(before: ListSize, after: ListSize, { floor, floorFrom }: Guardrails): string | undefined {
  const lost = before.listings - after.listings;
  if (lost < floorFrom || after.listings >= before.listings * floor) return undefined;
  return `it falls from ${before.listings} listings to ${after.listings} at once`;
}

function ceilingReason(before: ListSize, after: ListSize, { ceiling }: Guardrails): string | undefined {
  const [family] = aboveCeiling(before.cover, after.cover, ceiling);
  return family === undefined ? undefined : `it would cover ${shareText(after.cover[family], family)}`;
}
