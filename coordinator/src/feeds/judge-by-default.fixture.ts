/** The guardrails as they stand when no policy says otherwise, with nothing to collide with. */
import { DEFAULT_GUARDRAILS } from "../guardrails/guardrails.ts";
import { judgeFeed } from "../guardrails/judge-feed.ts";
import type { FeedsParts } from "./parts.ts";

export const judgeByDefault: FeedsParts["judge"] = async (_, list) =>
  judgeFeed({ ...list, collisions: [] }, DEFAULT_GUARDRAILS);
