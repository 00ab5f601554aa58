/**
 * The agents' service: client, server and messages, and what turns messages into values of the model.
 *
 * The coordinator may write a Buffer in place of a message: an encoded CoordinatorMessage, passed through as it is, so
 * that one delta is serialized once for everybody.
 */
// biome-ignore-all lint/performance/noBarrelFile: generated code is imported in this folder only, so it is passed on
import type { handleBidiStreamingCall, handleUnaryCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import {
  AgentMessage,
  CoordinatorMessage,
  FleetService as GeneratedService,
  type RenewRequest,
  type RenewResponse,
} from "./gen/fleetban/v1/fleet.ts";

export {
  Ack,
  AckedSpool,
  AgentMessage,
  AllTraffic,
  Applied,
  ChunkReceived,
  CoordinatorMessage,
  Delta,
  DigestKind,
  Effect,
  FleetClient,
  Goodbye,
  GoodbyeReason,
  Health,
  Hello,
  Hits,
  HitTop,
  HitTotal,
  Line,
  List,
  ListRemoved,
  Lists,
  Pace,
  PartialSnapshot,
  PortRange,
  Ports,
  Position,
  Probe,
  ProbeResult,
  RenewRequest,
  RenewResponse,
  Settings,
  Sighting,
  SightingKind,
  Sightings,
  SnapshotChunk,
  Source,
  SourceCount,
  Spool,
  Warnable,
  Welcome,
} from "./gen/fleetban/v1/fleet.ts";
export { listFromWire, listToWire } from "./lists.ts";
export { sightingFromWire, sightingToWire } from "./sightings.ts";

export const FleetService = {
  ...GeneratedService,
  connect: {
    ...GeneratedService.connect,
    responseSerialize: (message: CoordinatorMessage | Buffer): Buffer =>
      Buffer.isBuffer(message) ? message : encodeCoordinatorMessage(message),
  },
} as const;

export interface FleetServer extends UntypedServiceImplementation {
  readonly connect: handleBidiStreamingCall<AgentMessage, CoordinatorMessage | Buffer>;
  readonly renew: handleUnaryCall<RenewRequest, RenewResponse>;
}

export function encodeCoordinatorMessage(message: CoordinatorMessage): Buffer {
  return Buffer.from(CoordinatorMessage.encode(message).finish());
}

export function encodeAgentMessage(message: AgentMessage): Buffer {
  return Buffer.from(AgentMessage.encode(message).finish());
}
