/**
 * Opens the agent's stream over mTLS with grpc-js.
 *
 * The coordinator's certificate names one fixed host, whatever address it is reached at, and only the fleet's own
 * CA is believed; so an address may change, and no public CA can stand in for a coordinator.
 */

import { CLIENT_CHANNEL_OPTIONS } from "@fleetban/proto/wire/channel";
import { type AgentMessage, type CoordinatorMessage, FleetClient } from "@fleetban/proto/wire/fleet";
import { type ClientDuplexStream, credentials, type ServiceError, status } from "@grpc/grpc-js";
import type { Connection, Dial } from "../link/connection.ts";
import { LinkError } from "../link/state.ts";
import type { Identity } from "./identity-files.ts";

export function createDial(identity: () => Identity): Dial {
  return async (address, signal) => {
    const { caPem, keyPem, certificatePem } = identity();
    const channel = credentials.createSsl(Buffer.from(caPem), Buffer.from(keyPem), Buffer.from(certificatePem));
    const client = new FleetClient(address, channel, CLIENT_CHANNEL_OPTIONS);
    try {
      await ready(client, signal);
    } catch (cause) {
      client.close();
      throw cause;
    }
    return openStream(client);
  };
}

function ready(client: FleetClient, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(unreachable(signal.reason));
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    client.waitForReady(Number.POSITIVE_INFINITY, (error) => {
      signal.removeEventListener("abort", abort);
      if (error) reject(unreachable(error));
      else resolve();
    });
  });
}

function unreachable(cause: unknown): LinkError {
  return new LinkError("coordinator-unreachable", "the coordinator cannot be reached", { cause });
}

function openStream(client: FleetClient): Connection {
  const call = client.connect();
  const waiting = new Set<(broken: LinkError) => void>();
  let broken: LinkError | undefined;
  function end(cause?: unknown): void {
    broken ??= streamError(cause);
    for (const reject of waiting) reject(broken);
    waiting.clear();
  }
  call.on("error", end);
  call.on("close", () => end());

  /** Nothing that lives as long as the stream is waited for: it would keep a little of every message. */
  async function send(message: AgentMessage): Promise<void> {
    if (broken !== undefined) throw broken;
    if (call.write(message)) return;
    const drained = Promise.withResolvers<void>();
    waiting.add(drained.reject);
    call.once("drain", drained.resolve);
    await drained.promise.finally(() => waiting.delete(drained.reject));
  }

  return {
    send,
    messages: messagesOf(call),
    close() {
      end();
      call.cancel();
      client.close();
    },
  };
}

async function* messagesOf(
  call: ClientDuplexStream<AgentMessage, CoordinatorMessage>,
): AsyncGenerator<CoordinatorMessage, void> {
  try {
    for await (const message of call) yield message as CoordinatorMessage;
  } catch (cause) {
    throw streamError(cause);
  }
}

function streamError(cause: unknown): LinkError {
  const error = cause as Partial<ServiceError> | undefined;
  if (error?.code === status.UNAUTHENTICATED || error?.code === status.PERMISSION_DENIED) {
    return new LinkError("certificate-refused", error.details ?? "the coordinator refuses this agent's certificate", {
      cause,
      hint: "an operator may have revoked it; enroll this server anew with `fleetban-agent enroll TOKEN`",
    });
  }
  return new LinkError("stream-lost", error?.details ?? "the stream to the coordinator broke", { cause });
}
