/** An operator's act as the Admin service tells it. */
import { msFromSeconds } from "@fleetban/proto/model/time";
import { isOpenEnded } from "@fleetban/proto/model/until";
import type { Act } from "@fleetban/proto/wire/admin";
import type { StoredAct } from "./act-queries.ts";

export function actMessage({ until, pack = "", ...act }: StoredAct): Act {
  return { ...act, pack, untilMs: isOpenEnded(until) ? 0 : msFromSeconds(until) };
}
