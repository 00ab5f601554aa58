/** The Fleet service over grpc-js: who calls is told by the certificate, the stream becomes an AgentChannel. */

import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { AgentMessage, CoordinatorMessage, FleetServer } from "@fleetban/proto/wire/fleet";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { EnrollmentParts } from "../enrollment/redeem.ts";
import { renewCertificate } from "../enrollment/renew.ts";
import type { AgentChannel } from "../fleet/channel.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { identifyAgent } from "../fleet/identify.ts";
import type { Sql } from "../store/sql.ts";
import { statusOf } from "./grpc-status.ts";
import { peerAddressOf, peerCertificateOf } from "./peer.ts";

type Call = ServerDuplexStream<AgentMessage, CoordinatorMessage | Buffer>;

export interface FleetServiceParts {
  readonly fleet: Fleet;
  readonly enrollment: EnrollmentParts;
  readonly sql: Sql;
  readonly clock: Clock;
  readonly log: Log;
}

export function createFleetService(parts: FleetServiceParts): FleetServer {
  const { fleet, enrollment, sql, clock, log } = parts;

  async function connect(call: Call): Promise<void> {
    const channel = channelOf(call, log);
    try {
      const agent = await identifyAgent(sql, peerCertificateOf(call), clock.nowMs());
      await fleet.serve(agent, channel);
    } catch (error) {
      log.info("fleet.stream_refused", { peer: channel.peerAddress, error });
      call.emit("error", statusOf(error, log));
    }
  }

  return {
    connect: (call) => void connect(call as Call), // owned by the call: whatever it throws is its answer
    renew(call, callback) {
      identifyAgent(sql, peerCertificateOf(call), clock.nowMs())
        .then((agent) => renewCertificate(enrollment, agent, call.request))
        .then(
          (response) => callback(null, response),
          (error: unknown) => callback(statusOf(error, log)),
        );
    },
  };
}

function channelOf(call: Call, log: Log): AgentChannel {
  return {
    peerAddress: peerAddressOf(call),
    messages: messagesOf(call),
    write: (message) => (call.writable ? call.write(message) : false),
    onDrain: (run) => void call.on("drain", run),
    end: () => void (call.writable && call.end()),
    cut: (error) => void call.emit("error", statusOf(error, log)),
  };
}

/**
 * Not the stream's own iterator: that destroys the call when an error is emitted, and emitting one is how grpc-js is told
 * the status to end with. A connection that breaks is an end here, not a failure.
 */
async function* messagesOf(call: Call): AsyncGenerator<AgentMessage, void> {
  let isOver = false;
  let wake: () => void = () => undefined;
  const look = () => wake();
  const end = () => {
    isOver = true;
    wake();
  };
  call.on("readable", look);
  for (const event of ["end", "close", "error", "cancelled"]) call.once(event, end);
  const nextEvent = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    return promise;
  };
  while (!isOver) {
    const message = call.read() as AgentMessage | null;
    if (message !== null) yield message;
    else if (!isOver) await nextEvent();
  }
}
