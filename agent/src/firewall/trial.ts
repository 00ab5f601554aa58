/**
 * Leases of a trial: nothing that bans is written to last longer than the trial, so that a kernel left alone is open again at
 * its end, whatever became of the agent. What exempts keeps its own, longer lease: no hole ends before what it is a hole in.
 */
import type { AskWanted } from "./wanted.ts";

export function endingWith(wanted: AskWanted, secondsLeft: () => number): AskWanted {
  return (set, prefix) => {
    const one = wanted(set, prefix);
    const { owner } = set;
    const bans = owner.kind === "local" || (owner.kind === "list" && owner.effect === "deny");
    if (one.kind !== "present" || !bans) return one;
    const left = Math.max(1, Math.floor(secondsLeft()));
    return one.seconds === 0 || one.seconds > left ? { ...one, seconds: left } : one;
  };
}
