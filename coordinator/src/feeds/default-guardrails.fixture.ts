/** The guardrails over a test's database, as they stand when no policy says otherwise. */
import { silentLog } from "@fleetban/kit/log";
import { brakeList } from "../guardrails/brake-list.ts";
import { DEFAULT_GUARDRAILS } from "../guardrails/guardrails.ts";
import { createFeedJudge } from "../guardrails/protections.ts";
import type { Store } from "../store/store.ts";
import type { FeedsParts } from "./parts.ts";

export function defaultGuardrails(store: Pick<Store, "transaction">): Pick<FeedsParts, "judge" | "brake"> {
  const guardrails = () => DEFAULT_GUARDRAILS;
  return {
    judge: createFeedJudge(guardrails),
    brake: (wish) => brakeList({ store, guardrails, log: silentLog }, wish),
  };
}
