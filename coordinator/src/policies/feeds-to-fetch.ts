/**
 * Which feeds are fetched: those of the policy in force, and those that a policy on trial would bring, counted and not
 * enforced: what it would list is on the list of the trial. Pure.
 */
import type { FeedDefinition } from "../feeds/feed.ts";

export function feedsToFetch(
  inForce: readonly FeedDefinition[],
  tried: readonly FeedDefinition[],
): readonly FeedDefinition[] {
  const fetched = new Set(inForce.filter(({ mode }) => mode !== "off").map(({ name }) => name));
  const added = tried.filter(({ name, mode }) => mode !== "off" && !fetched.has(name));
  const names = new Set(added.map(({ name }) => name));
  const observed = added.map((feed) => ({ ...feed, mode: "observe" as const, list: "feeds" }));
  return [...inForce.filter(({ name }) => !names.has(name)), ...observed];
}
