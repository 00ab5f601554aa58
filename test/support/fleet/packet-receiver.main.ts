/** Runs on a host: prints `SOURCE UNIX_MS` for every datagram that reaches UDP port `argv[2]`, v4 and v6. */
import { createSocket } from "node:dgram";

const socket = createSocket({ type: "udp6", ipv6Only: false });
socket.on("message", (_, { address }) => process.stdout.write(`${address.replace("::ffff:", "")} ${Date.now()}\n`));
socket.bind(Number(process.argv[2]), () => process.stdout.write("ready 0\n"));
