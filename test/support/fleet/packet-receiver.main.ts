/** Runs on a host: prints `SOURCE UNIX_MS NUMBER SENT_AT` for every datagram that reaches UDP port `argv[2]`, v4 and v6. */
import { createSocket } from "node:dgram";

const socket = createSocket({ type: "udp6", ipv6Only: false, recvBufferSize: 4 << 20 }); // nothing is lost while we wait for a turn
socket.on("message", (bytes, { address }) => {
  const [, number, sentAt] = bytes.toString().split(" ");
  process.stdout.write(`${address.replace("::ffff:", "")} ${Date.now()} ${number} ${sentAt}\n`);
});
socket.bind(Number(process.argv[2]), () => process.stdout.write("ready 0 0 0\n"));
