/** The stream, where the process may die around its sightings and their acknowledgements. */
import { createDial as createReal } from "@fleetban/agent/drivers/grpc-dial";
import type { Connection, Dial } from "@fleetban/agent/link/connection";
import type { CoordinatorMessage } from "@fleetban/proto/wire/fleet";
import { mayDie } from "./point.ts";

export function createDial(...identity: Parameters<typeof createReal>): Dial {
  const real = createReal(...identity);
  return async (address, signal) => mortal(await real(address, signal));
}

function mortal(connection: Connection): Connection {
  return {
    close: () => connection.close(),
    async send(message) {
      const isSightings = message.kind?.$case === "sightings";
      if (isSightings) mayDie("unsent");
      await connection.send(message);
      if (isSightings) mayDie("sent");
    },
    messages: mortalMessages(connection.messages),
  };
}

async function* mortalMessages(messages: AsyncIterable<CoordinatorMessage>): AsyncGenerator<CoordinatorMessage, void> {
  for await (const message of messages) {
    const isAck = message.kind?.$case === "ack";
    if (isAck) mayDie("ack-arrived");
    yield message;
    if (isAck) mayDie("ack-taken"); // the next one is asked for
  }
}
