/** The Admin service, call by call: each checks its request, does its act, answers. Transport and certificates are the driver's. */
import type {
  AgentProbe,
  CheckPolicyRequest,
  ListActsRequest,
  ListActsResponse,
  ListAuditRequest,
  ListAuditResponse,
  ListFeedsRequest,
  ListHitsRequest,
  ListingsPage,
  ListJobsRequest,
  ListListingsRequest,
  ListNotificationsRequest,
  ListReportsRequest,
  MoveAgentRequest,
  PlanPolicyRequest,
  PreviewReportsRequest,
  ProbeAgentsRequest,
  RemoveActRequest,
  ShowFeedRequest,
  ShowHoldRequest,
  ShowPackRequest,
  ShowPolicyRequest,
} from "@fleetban/proto/wire/admin";
import { policySchemaText } from "../policy/policy-schema.ts";
import { actMessage } from "./act-message.ts";
import { type ActKind, acts } from "./act-queries.ts";
import { allow, ban, removeAct, unban } from "./acts.ts";
import { createAgents } from "./agents.ts";
import { auditEntries, brokenAuditRecord } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { createAdminCertificate, listAdminCertificates, revokeAdminCertificate } from "./certificates.ts";
import { createEnrollment, listEnrollments, revokeEnrollment } from "./enrollments.ts";
import { explain } from "./explain.ts";
import { feedPresets, fetchFeed, showFeed } from "./feeds.ts";
import { feedsWithValue, listHits } from "./hits.ts";
import { holds, resolveHold, showHold } from "./holds.ts";
import { listJobs } from "./jobs.ts";
import { listListings, listStatuses } from "./listings.ts";
import { moveAgent } from "./move-agent.ts";
import { listNotifications, testNotifications } from "./notifications.ts";
import { listPacks, showPack } from "./packs.ts";
import type { AdminParts } from "./parts.ts";
import {
  alarmPolicy,
  applyPolicy,
  checkPolicy,
  confirmPolicy,
  listPolicies,
  planPolicy,
  rollbackPolicy,
  showPolicy,
} from "./policies.ts";
import { probeAgents } from "./probe.ts";
import { createPublishToken, listPublishTokens, revokePublishToken } from "./publish.ts";
import { getReportsStatus, listReports, previewReports } from "./reports.ts";
import { getStatus } from "./status.ts";

export type Admin = ReturnType<typeof createAdmin>;

const AUDIT_RECORDS = 100;
const AUDIT_MAX_RECORDS = 10_000;

export function createAdmin(parts: AdminParts) {
  const { sql } = parts.store;
  const agents = createAgents(parts);

  async function listActs(kind: ActKind, { ended }: ListActsRequest): Promise<ListActsResponse> {
    return { acts: (await acts(sql, kind, ended)).map(actMessage) };
  }

  async function listAudit({ limit }: ListAuditRequest): Promise<ListAuditResponse> {
    const records = await auditEntries(sql, Math.min(limit || AUDIT_RECORDS, AUDIT_MAX_RECORDS));
    return { records, brokenAuditNo: (await brokenAuditRecord(sql)) ?? 0 };
  }

  return {
    getStatus: () => getStatus(parts, agents),
    listAgents: async (request: { agent: string }) => ({ agents: await agents.list(request.agent) }),
    revokeAgent: agents.revoke,
    moveAgent: (caller: Caller, request: MoveAgentRequest) => moveAgent({ ...parts, agents }, caller, request),
    probeAgents: (request: ProbeAgentsRequest): AsyncIterable<AgentProbe> => probeAgents(parts, agents, request),
    createEnrollment: bind(createEnrollment),
    listEnrollments: async () => ({ enrollments: await listEnrollments(parts) }),
    revokeEnrollment: bind(revokeEnrollment),
    createAdminCertificate: bind(createAdminCertificate),
    listAdminCertificates: async () => ({ certificates: await listAdminCertificates(parts) }),
    revokeAdminCertificate: bind(revokeAdminCertificate),
    ban: bind(ban),
    unban: bind(unban),
    allow: bind(allow),
    listBans: (request: ListActsRequest) => listActs("ban", request),
    listPardons: (request: ListActsRequest) => listActs("pardon", request),
    listAllowlist: (request: ListActsRequest) => listActs("allowed", request),
    removeBan: bindRemoval("ban"),
    removePardon: bindRemoval("pardon"),
    removeAllowed: bindRemoval("allowed"),
    listLists: async () => ({ lists: listStatuses(parts) }),
    listListings: (request: ListListingsRequest): AsyncIterable<ListingsPage> => listListings(parts, request),
    explain: (request: Parameters<typeof explain>[1]) => explain(parts, request),
    listHits: (request: ListHitsRequest) => listHits(parts, request),
    listFeeds: async (request: ListFeedsRequest) => ({ feeds: await feedsWithValue(parts, request) }),
    fetchFeed: bind(fetchFeed),
    showFeed: (request: ShowFeedRequest) => showFeed(parts, request),
    listFeedPresets: async () => feedPresets(),
    listHolds: async ({ resolved }: { resolved: boolean }) => ({ holds: await holds(sql, resolved) }),
    showHold: (request: ShowHoldRequest) => showHold(parts, request),
    resolveHold: bind(resolveHold),
    listPacks: async () => ({ packs: await listPacks(parts) }),
    showPack: (request: ShowPackRequest) => showPack(parts, request),
    listAudit,
    listJobs: (request: ListJobsRequest) => listJobs(parts, request),
    createPublishToken: bind(createPublishToken),
    listPublishTokens: () => listPublishTokens(parts),
    revokePublishToken: bind(revokePublishToken),
    checkPolicy: (request: CheckPolicyRequest) => checkPolicy(parts, request),
    planPolicy: (request: PlanPolicyRequest) => planPolicy(parts, request),
    applyPolicy: bind(applyPolicy),
    confirmPolicy: bind(confirmPolicy),
    rollbackPolicy: bind(rollbackPolicy),
    alarmPolicy: bind(alarmPolicy),
    showPolicy: (request: ShowPolicyRequest) => showPolicy(parts, request),
    listPolicies: () => listPolicies(parts),
    previewReports: (request: PreviewReportsRequest) => previewReports(parts, request),
    listReports: (request: ListReportsRequest) => listReports(parts, request),
    getReportsStatus: () => getReportsStatus(parts),
    listNotifications: (request: ListNotificationsRequest) => listNotifications(parts, request),
    testNotifications: bind(testNotifications),
    getPolicySchema: async () => ({ schema: policySchemaText() }),
  };

  function bind<Request, Response>(act: (parts: AdminParts, caller: Caller, request: Request) => Promise<Response>) {
    return (caller: Caller, request: Request) => act(parts, caller, request);
  }

  function bindRemoval(kind: ActKind) {
    return (caller: Caller, request: RemoveActRequest) => removeAct(parts, caller, kind, request);
  }
}
