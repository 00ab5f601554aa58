/** Runs on a host: sends a numbered datagram every `argv[3]` ms to port `argv[2]` of each address after it; ends by itself. */
import { createSocket } from "node:dgram";
import { packetMoment } from "./packet-moment.ts";

const MOST_SECONDS = 900; // a bound, should nobody stop it
const [port, everyMs, ...targets] = process.argv.slice(2);
const sockets = { 4: createSocket("udp4"), 6: createSocket("udp6") };
for (const socket of Object.values(sockets)) socket.on("error", () => undefined); // a link that is cut

let number = 0;

function sendAll(): void {
  number += 1;
  for (const target of targets) {
    const socket = target.includes(":") ? sockets[6] : sockets[4];
    socket.send(`fleetban ${number} ${packetMoment()}`, Number(port), target, () => undefined); // unreachable meanwhile: that is what is watched
  }
}

setInterval(sendAll, Number(everyMs));
setTimeout(() => process.exit(0), MOST_SECONDS * 1_000);
