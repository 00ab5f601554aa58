/**
 * Agents as operators see them: their row, what they last reported (memory for streams here, the database for others),
 * and whether their mirrors and kernels agree with the ledger.
 */
import { digestToBytes } from "@fleetban/proto/model/digest";
import type { ListNo } from "@fleetban/proto/model/listing";
import type { AgentListStatus, AgentStatus, RevokeAgentRequest, RevokeAgentResponse } from "@fleetban/proto/wire/admin";
import { lastHelloOf } from "../fleet/last-hello.ts";
import { type AppliedList, warnablesOf } from "../fleet/reported.ts";
import type { ListHead } from "../ledger/ledger.ts";
import { type AgentRow, agentRows, revokeAgentRow, type StoredList, storedLists } from "./agent-queries.ts";
import { checkReason } from "./arguments.ts";
import { recordAct } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { AdminError } from "./errors.ts";
import { createKernelDigests, type KernelDigests } from "./kernel-digests.ts";
import type { AdminParts } from "./parts.ts";
import { lastProbes } from "./probe-queries.ts";

/** Another replica's agent counts as online while that replica writes its reports. */
const WRITTEN_WITHIN_MS = 35_000;

export interface Agents {
  list(named: string): Promise<AgentStatus[]>;
  /** One that is not revoked, by name or id. */
  find(named: string): Promise<AgentRow>;
  revoke(caller: Caller, request: RevokeAgentRequest): Promise<RevokeAgentResponse>;
}

export function createAgents(parts: AdminParts): Agents {
  const { store, ledger, fleet, clock, log, metrics } = parts;
  const kernelDigests = createKernelDigests(parts);

  async function list(named: string): Promise<AgentStatus[]> {
    const rows = await agentRows(store.sql, named);
    const stored = await storedLists(store.sql);
    const heads = new Map(ledger.lists().map((head) => [head.list.list, head]));
    const probes = await lastProbes(store.sql);
    const statuses: AgentStatus[] = [];
    for (const row of rows) {
      const probe = probes.get(row.agentNo);
      const lastProbe = probe === undefined ? undefined : { agentId: row.agentId, name: row.name, ...probe };
      statuses.push({ ...(await statusOf(row, stored.get(row.agentNo) ?? [], heads)), lastProbe });
    }
    if (named !== "" && statuses.length === 0) throw notFound(named);
    return statuses;
  }

  async function statusOf(row: AgentRow, stored: readonly StoredList[], heads: ReadonlyMap<ListNo, ListHead>) {
    const reported = fleet.reported.find(row.agentNo);
    const hello = reported?.facts === undefined ? row.lastHello : lastHelloOf(reported);
    const applied = reported?.lists ?? new Map(stored.map(({ list: listed, applied: was }) => [listed, was]));
    const lists: AgentListStatus[] = [];
    for (const [no, at] of applied) {
      const head = heads.get(no);
      if (head !== undefined) lists.push(await listStatusOf(head, at, kernelDigests, ledger.epoch));
    }
    const isElsewhere = stored.some(
      ({ replica, writtenAtMs }) => replica !== fleet.replica && clock.nowMs() - writtenAtMs < WRITTEN_WITHIN_MS,
    );
    return {
      agentId: row.agentId,
      name: row.name,
      group: row.group,
      state: stateOf(row, fleet.isOnline(row.agentNo) || isElsewhere, hello !== undefined),
      lastSeenAtMs: fleet.isOnline(row.agentNo) ? Math.round(clock.nowMs()) : (hello?.seen_at_ms ?? 0),
      programVersion: hello?.program_version ?? "",
      backend: hello?.backend ?? "",
      lists: lists.sort((a, b) => a.list - b.list),
      addresses: row.addresses,
      clockSkewMs: hello?.clock_skew_ms ?? 0,
      spoolSightings: hello?.spool_sightings ?? 0,
      warnables: reported === undefined ? [...(hello?.warnables ?? [])] : warnablesOf(reported).map(({ code }) => code),
      enrolledAtMs: row.enrolledAtMs,
      certificateEndsAtMs: row.certificateEndsAtMs,
      lostSightings: hello?.lost_sightings ?? 0,
      localEntries: hello?.local_entries ?? 0,
      ownEntries: hello?.own_entries ?? 0,
    };
  }

  async function find(named: string): Promise<AgentRow> {
    const all = named === "" ? [] : await agentRows(store.sql, named);
    const rows = all.filter((row) => !row.isRevoked);
    const [row, ...others] = rows;
    if (row === undefined) throw all.length === 0 ? notFound(named) : revokedAlready(named);
    if (others.length > 0) {
      const ids = rows.map(({ agentId }) => agentId).join(", ");
      throw new AdminError("ambiguous", `agent ${named}: ${rows.length} agents have this name`, {
        hint: `name it by its id, one of ${ids}`,
      });
    }
    return row;
  }

  return {
    list,
    find,
    async revoke(caller, request) {
      const reason = checkReason(request.reason);
      const row = await find(request.agent);
      await store.transaction(async (sql) => {
        await revokeAgentRow(sql, row.agentNo);
        await recordAct(sql, caller, { act: "agents revoke", subject: `${row.name} ${row.agentId}`, reason });
      });
      const streamsCut = fleet.revoke(row.agentNo);
      metrics.auditRecord();
      log.info("admin.agent_revoked", { agent: row.name, agentId: row.agentId, actor: caller.name, streamsCut });
      await ledger.setAgentAddresses(row.agentNo, []); // what it claimed protects nobody any more
      const [agent] = await list(row.agentId);
      return { agent, streamsCut };
    },
  };
}

function stateOf(row: AgentRow, isOnline: boolean, wasSeen: boolean): string {
  if (row.isRevoked) return "revoked";
  if (isOnline) return "online";
  return wasSeen ? "offline" : "never-seen";
}

async function listStatusOf(
  head: ListHead,
  applied: AppliedList,
  kernelDigests: KernelDigests,
  epoch: string,
): Promise<AgentListStatus> {
  const isHead = applied.revision === head.revision && (applied.epoch as string) === epoch;
  const wanted = isHead ? await kernelDigests.of(head, applied.line) : undefined;
  const isComparable = wanted !== undefined && applied.kernelDigest !== undefined && applied.kept === 0;
  return {
    list: head.list.list,
    name: head.list.name,
    revision: applied.revision,
    mirrorAgrees: isHead && (applied.mirrorDigest === undefined || applied.mirrorDigest === head.digest),
    kernelAgrees: isComparable ? (applied.kernelDigest === wanted ? "yes" : "no") : "unknown",
    kernelDigest: Buffer.from(applied.kernelDigest === undefined ? [] : digestToBytes(applied.kernelDigest)),
    kernelEntries: applied.kernelEntries,
    leftOut: applied.leftOut,
    kept: applied.kept,
    refused: applied.refused,
    checkedAtMs: applied.checkedAtMs,
  };
}

export function revokedAlready(named: string): AdminError {
  return new AdminError("not-found", `agent ${named}: is revoked`, {
    hint: "to bring that server back: `fleetban enrollments create`, and there `fleetban-agent enroll --force TOKEN`",
  });
}

function notFound(named: string): AdminError {
  return new AdminError("not-found", `agent ${named === "" ? "(none named)" : named}: is not known`, {
    hint: "`fleetban agents list` shows names and ids",
  });
}
