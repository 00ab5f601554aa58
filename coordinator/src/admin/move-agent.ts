/**
 * Puts an agent into another group. Its row says so, and whichever coordinator has its stream tells it what it enforces
 * from now on; this one does so before it answers.
 */
import type { MoveAgentRequest, MoveAgentResponse } from "@fleetban/proto/wire/admin";
import { tellGroups } from "../fleet/follow-groups.ts";
import { listsByGroup, moveAgentRow } from "./agent-queries.ts";
import { type Agents, revokedAlready } from "./agents.ts";
import { checkReason } from "./arguments.ts";
import { recordAct } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

type MoveParts = Pick<AdminParts, "store" | "fleet" | "metrics" | "log"> & { readonly agents: Agents };

export async function moveAgent(
  parts: MoveParts,
  caller: Caller,
  request: MoveAgentRequest,
): Promise<MoveAgentResponse> {
  const { store, fleet, metrics, log, agents } = parts;
  const { group } = request;
  const reason = checkReason(request.reason);
  const row = await agents.find(request.agent);
  const groups = await listsByGroup(store.sql);
  const lists = groups.get(group);
  if (lists === undefined) throw unknownGroup(group, [...groups.keys()]);
  const formerGroup = await store.transaction(async (sql) => {
    const former = await moveAgentRow(sql, row.agentNo, group);
    if (former === undefined) throw revokedAlready(request.agent);
    if (former === group) return former;
    const subject = `${row.name} ${row.agentId}: ${former} to ${group}`;
    const [before, after] = [{ group: former }, { group }];
    await recordAct(sql, caller, { act: "agents move", subject, reason, before, after });
    return former;
  });
  if (formerGroup !== group) {
    metrics.auditRecord();
    log.info("admin.agent_moved", { agent: row.name, agentId: row.agentId, group, formerGroup, actor: caller.name });
  }
  // The act is done; who could not be told now is told by the next look, like a stream of another replica.
  await tellGroups(parts).catch((error: unknown) => log.warn("admin.agent_not_told", { agent: row.name, error }));
  const [agent] = await agents.list(row.agentId);
  const formerLists = groups.get(formerGroup) ?? [];
  return {
    agent,
    formerGroup,
    listsGiven: lists.filter((name) => !formerLists.includes(name)),
    listsTaken: formerLists.filter((name) => !lists.includes(name)),
    told: fleet.online().some((one) => one.agentNo === row.agentNo && one.group.name === group),
  };
}

function unknownGroup(group: string, known: readonly string[]): AdminError {
  if (group === "") return new AdminError("bad-argument", "no group is named", { hint: thereAre(known) });
  return new AdminError("not-found", `group ${JSON.stringify(group)}: does not exist`, { hint: thereAre(known) });
}

function thereAre(known: readonly string[]): string {
  return `there are: ${known.join(", ")}; the policy makes others (groups)`;
}
