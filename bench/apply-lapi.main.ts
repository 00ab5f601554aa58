/**
 * Runs on a host: CrowdSec's local API as far as a firewall bouncer asks it. Every address of file `argv[2]` is banned when
 * it starts, and nothing changes afterwards. Prints its port, then a line when it is asked for all of them.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const values = readFileSync(process.argv[2] ?? "", "utf8").split("\n");
const decisions = values.map((value, index) => ({
  ...{ id: index + 1, origin: "cscli", type: "ban", scenario: "bench", duration: "167h0m0s", value },
  scope: value.includes("/") ? "Range" : "Ip",
}));
const all = JSON.stringify({ new: decisions, deleted: [] });

const server = createServer((request, response) => {
  const isStart = request.url?.includes("startup=true") === true;
  response.writeHead(200, { "content-type": "application/json" });
  response.end(isStart ? all : '{"new":null,"deleted":null}');
  if (isStart) process.stdout.write("asked\n");
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
