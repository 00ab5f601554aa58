/** When the policy ends an open-ended listing that nobody tries: a sentence for `explain`, and the date if there is one. */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { msFromSeconds, type UnixSeconds } from "@fleetban/proto/model/time";
import { openEndedListings, selectWitnesses } from "../hits/idle-queries.ts";
import { prunedAtMs } from "../hits/value-queries.ts";
import { judgeIdle, type PruneVerdict } from "../policy/prune.ts";
import type { AdminParts } from "./parts.ts";

export interface ExplainedPrune {
  /** Empty = nothing to say. */
  readonly text: string;
  /** A way off, where there is a date. */
  readonly wayOff: string | undefined;
}

export async function explainPrune(
  { store: { sql }, policy }: Pick<AdminParts, "store" | "policy">,
  prefix: Prefix,
  now: UnixSeconds,
): Promise<ExplainedPrune> {
  const [listing] = await openEndedListings(sql, [prefix]);
  if (listing !== undefined) return textOf(judgeIdle(listing, await selectWitnesses(sql), policy(), now));
  const atMs = await prunedAtMs(sql, prefix);
  if (atMs === undefined) return { text: "", wayOff: undefined };
  return {
    text: `its open-ended ban was ended ${utc(atMs)} by the policy: nobody tried it any more`,
    wayOff: undefined,
  };
}

function textOf(verdict: PruneVerdict): ExplainedPrune {
  switch (verdict.kind) {
    case "off":
      return { text: "", wayOff: undefined };
    case "prune":
      return {
        text: "nobody tries it any more: the policy ends it at its next look",
        wayOff: "by itself within the hour, because nobody tries it any more",
      };
    case "kept":
      return keptText(verdict);
  }
}

function keptText(verdict: Extract<PruneVerdict, { kind: "kept" }>): ExplainedPrune {
  switch (verdict.because) {
    case "tried":
    case "young": {
      const at = utc(msFromSeconds(verdict.notBefore));
      const text = `the policy ends it at ${at} if nobody tries it until then`;
      return { text, wayOff: `by itself at ${at}, if nobody tries it until then` };
    }
    case "listings-inside":
      return { text: "the policy does not end it while addresses in it are listed by themselves", wayOff: undefined };
    case "not-counted":
      return { text: `the policy does not end it: ${unknownText(verdict.agent)}`, wayOff: undefined };
  }
}

function unknownText(agent: string | undefined): string {
  if (agent === undefined) return "no agent has counted packets for long enough";
  return `agent ${agent} has not counted packets all the time, or was not seen lately`;
}

function utc(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
