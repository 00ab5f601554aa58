/**
 * The Admin service over grpc-js, once for the unix socket and once for the network.
 *
 * Whoever can open the socket is an operator; over the network it takes an operator's certificate that is known and not
 * revoked. An agent's certificate opens nothing here (invariant 8).
 */

import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { AdminServer } from "@fleetban/proto/wire/admin";
import { OPERATOR_KEY } from "@fleetban/proto/wire/error-metadata";
import type { handleServerStreamingCall, handleUnaryCall, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import type { Admin } from "../admin/admin.ts";
import type { Caller } from "../admin/caller.ts";
import { operatorOf } from "../admin/certificates.ts";
import { AdminError } from "../admin/errors.ts";
import { peerIdentity } from "../fleet/identify.ts";
import type { Sql } from "../store/sql.ts";
import { statusOf } from "./grpc-status.ts";
import { peerCertificateOf } from "./peer.ts";

type Call = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>;

/** Name and way of who calls; rejects who may not. */
export type Identify = (call: Call) => Promise<Pick<Caller, "name" | "role">>;

const OPERATOR_MAX_CHARACTERS = 64;

export const identifyBySocket: Identify = async (call) => {
  const [told] = call.metadata.get(OPERATOR_KEY);
  const name = Buffer.isBuffer(told) ? told.toString("utf8").replaceAll(/\p{Cc}/gu, "") : "";
  return { name: name.slice(0, OPERATOR_MAX_CHARACTERS) || "(unknown)", role: "socket" };
};

export function identifyByCertificate(sql: Sql, clock: Clock): Identify {
  return async (call) => {
    const peer = peerCertificateOf(call);
    const identity = peerIdentity(peer);
    if (identity.kind !== "admin") {
      throw new AdminError("wrong-certificate", "certificate of an agent: opens the Fleet service only", {
        hint: "use an operator's: fleetban certificates create NAME",
      });
    }
    const name = await operatorOf(sql, peer?.serial ?? "", clock.nowMs());
    if (name === undefined) {
      throw new AdminError(
        "wrong-certificate",
        `certificate of operator ${identity.name}: is revoked or not known here`,
        {
          hint: "make a new one at the coordinator: fleetban certificates create NAME",
        },
      );
    }
    return { name, role: "certificate" };
  };
}

export function createAdminService(admin: Admin, identify: Identify, log: Log): AdminServer {
  return {
    getStatus: read(admin.getStatus),
    listAgents: read(admin.listAgents),
    revokeAgent: act(admin.revokeAgent),
    moveAgent: act(admin.moveAgent),
    probeAgents: stream(admin.probeAgents),
    createEnrollment: act(admin.createEnrollment),
    listEnrollments: read(admin.listEnrollments),
    revokeEnrollment: act(admin.revokeEnrollment),
    createAdminCertificate: act(admin.createAdminCertificate),
    listAdminCertificates: read(admin.listAdminCertificates),
    revokeAdminCertificate: act(admin.revokeAdminCertificate),
    ban: act(admin.ban),
    unban: act(admin.unban),
    allow: act(admin.allow),
    listBans: read(admin.listBans),
    listPardons: read(admin.listPardons),
    listAllowlist: read(admin.listAllowlist),
    removeBan: act(admin.removeBan),
    removePardon: act(admin.removePardon),
    removeAllowed: act(admin.removeAllowed),
    listLists: read(admin.listLists),
    listListings: stream(admin.listListings),
    listHits: read(admin.listHits),
    explain: read(admin.explain),
    listFeeds: read(admin.listFeeds),
    fetchFeed: act(admin.fetchFeed),
    showFeed: read(admin.showFeed),
    listFeedPresets: read(admin.listFeedPresets),
    listHolds: read(admin.listHolds),
    showHold: read(admin.showHold),
    resolveHold: act(admin.resolveHold),
    listPacks: read(admin.listPacks),
    showPack: read(admin.showPack),
    listAudit: read(admin.listAudit),
    listJobs: read(admin.listJobs),
    previewReports: read(admin.previewReports),
    listReports: read(admin.listReports),
    getReportsStatus: read(admin.getReportsStatus),
    listNotifications: read(admin.listNotifications),
    testNotifications: act(admin.testNotifications),
    createPublishToken: act(admin.createPublishToken),
    listPublishTokens: read(admin.listPublishTokens),
    revokePublishToken: act(admin.revokePublishToken),
    checkPolicy: read(admin.checkPolicy),
    planPolicy: read(admin.planPolicy),
    applyPolicy: act(admin.applyPolicy),
    confirmPolicy: act(admin.confirmPolicy),
    rollbackPolicy: act(admin.rollbackPolicy),
    alarmPolicy: act(admin.alarmPolicy),
    showPolicy: read(admin.showPolicy),
    listPolicies: read(admin.listPolicies),
    getPolicySchema: read(admin.getPolicySchema),
  };

  function read<Request, Response>(
    answer: (request: Request) => Promise<Response>,
  ): handleUnaryCall<Request, Response> {
    return act((_caller, request: Request) => answer(request));
  }

  function act<Request, Response>(
    answer: (caller: Caller, request: Request) => Promise<Response>,
  ): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      identify(call as Call)
        .then((who) => answer({ ...who, signal: goneSignal(call as Call) }, call.request))
        .then(
          (response) => callback(null, response),
          (error: unknown) => callback(statusOf(error, log)),
        );
    };
  }

  function stream<Request, Page>(
    answer: (request: Request) => AsyncIterable<Page>,
  ): handleServerStreamingCall<Request, Page> {
    return (call) => {
      identify(call as Call)
        .then(() => writeAll(call, answer(call.request)))
        .catch((error: unknown) => call.emit("error", statusOf(error, log)));
    };
  }
}

/** Waits where the caller reads slowly, and ends where it has gone. */
async function writeAll<Page>(call: ServerWritableStream<unknown, Page>, pages: AsyncIterable<Page>): Promise<void> {
  const gone = goneSignal(call as Call);
  for await (const page of pages) {
    if (gone.aborted) return;
    if (!call.write(page)) await drained(call, gone);
  }
  call.end();
}

function drained(call: ServerWritableStream<unknown, never>, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    call.once("drain", resolve);
    gone.addEventListener("abort", () => resolve(), { once: true });
  });
}

function goneSignal(call: Call): AbortSignal {
  const gone = new AbortController();
  call.once("cancelled", () => gone.abort());
  return gone.signal;
}
