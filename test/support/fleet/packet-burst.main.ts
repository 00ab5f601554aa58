/** Runs on a host: sends `argv[3]` datagrams to port `argv[2]` of the address after it, and ends. */
import { createSocket } from "node:dgram";
import { setTimeout } from "node:timers/promises";
import { packetMoment } from "./packet-moment.ts";

const PAUSE_MS = 2; // no queue on the way fills
const [port, count, target = ""] = process.argv.slice(2);
const socket = createSocket(target.includes(":") ? "udp6" : "udp4");
for (let number = 1; number <= Number(count); number += 1) {
  await new Promise<void>((resolve, reject) => {
    socket.send(`fleetban ${number} ${packetMoment()}`, Number(port), target, (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  await setTimeout(PAUSE_MS);
}
socket.close();
