/** What groups have become, and which agents were put into another, told to the streams of this replica. */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Store } from "../store/store.ts";
import type { AgentGroup } from "./agent.ts";
import type { Fleet } from "./fleet.ts";
import { forgetWithdrawn, groupsOfAgents, selectGroups } from "./queries.ts";

export interface GroupsParts {
  readonly fleet: Pick<Fleet, "regroup">;
  readonly store: Pick<Store, "sql">;
}

export interface FollowGroupsParts extends GroupsParts {
  readonly clock: Clock;
  readonly log: Log;
}

const LOOK_EVERY_MS = 2_000;

/** Lists and settings of a group reach its agents without a new stream; what could not be told is told the next time. */
export async function followGroups(parts: FollowGroupsParts, signal: AbortSignal): Promise<never> {
  let told: ReadonlyMap<string, AgentGroup> | undefined;
  for (;;) {
    await parts.clock.sleep(LOOK_EVERY_MS, signal);
    try {
      const { groups, moved } = await tellGroups(parts);
      const isOther = told !== undefined && !isDeepStrictEqual(told, groups);
      // Until now this replica may have written what a moved agent reports of lists that it has lost.
      if (isOther || moved > 0) await forgetWithdrawn(parts.store.sql);
      told = groups;
    } catch (error) {
      parts.log.warn("fleet.groups_not_read", { error });
    }
  }
}

/** Once, now. Gives how many agents were told that they are in another group. */
export async function tellGroups({ fleet, store }: GroupsParts) {
  let groups: ReadonlyMap<string, AgentGroup> = new Map();
  const moved = await fleet.regroup(async (agents) => {
    const groupOf = await groupsOfAgents(store.sql, agents);
    groups = await selectGroups(store.sql); // after the agents: the group of each is among them
    return { groups, groupOf };
  });
  return { groups, moved };
}
