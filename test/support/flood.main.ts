/**
 * Sends small datagrams from many source addresses as fast as one core can, for as long as it is told to.
 *
 * Runs in the sender's namespace: `node flood.main.ts PORT NETWORK NAMESPACE…`. NETWORK (a /16, such as `45.128`) is local
 * there: that is where the sources are. In each other namespace a socket is opened on the port that nobody reads, so that
 * what gets through costs the same everywhere. Each line `NAMESPACE ADDRESS MILLISECONDS` on its input is answered with
 * how many a second reached UDP there.
 */
import { openSync, readSync } from "node:fs";
import { createInterface } from "node:readline";
import { openFloodSockets } from "./flood-sockets.ts";
import { enterNetns } from "./netns.ts";

const SOURCES = 512;
const BATCHES_A_LOOK = 32;
const COUNTERS_BYTES = 8_192;
const MS_A_SECOND = 1_000;

const [portText, network = "", ...namespaces] = process.argv.slice(2);
const port = Number(portText);
const sockets = openFloodSockets();
/** Opened there, they tell of there. */
const counters = new Map<string, number>();
for (const namespace of namespaces) {
  const leave = enterNetns(namespace);
  sockets.openDeaf(port);
  counters.set(namespace, openSync("/proc/thread-self/net/snmp", "r"));
  leave();
}
const opened = new Map<string, readonly number[]>();
process.stdout.write("ready\n");

for await (const line of createInterface({ input: process.stdin })) {
  const [namespace = "", address = "", forMs] = line.split(" ");
  const before = arrivedAt(namespace);
  const tookMs = flood(address, Number(forMs));
  process.stdout.write(`${((arrivedAt(namespace) - before) / tookMs) * MS_A_SECOND}\n`);
}

function flood(address: string, forMs: number): number {
  const senders = sendersTo(address);
  const begunMs = performance.now();
  for (let turn = 0; performance.now() - begunMs < forMs; turn += BATCHES_A_LOOK) {
    for (let batch = 0; batch < BATCHES_A_LOOK; batch += 1) {
      sockets.sendBatch(senders[(turn + batch) % senders.length] ?? 0);
    }
  }
  return performance.now() - begunMs;
}

/** Those that found no room in their socket had come through as well. */
function arrivedAt(namespace: string): number {
  const text = Buffer.alloc(COUNTERS_BYTES);
  const length = readSync(counters.get(namespace) ?? -1, text, 0, text.length, 0);
  const lines = text.toString("latin1", 0, length).split("\n");
  const [names = "", values = ""] = lines.filter((line) => line.startsWith("Udp:"));
  const counts = values.split(" ").map(Number);
  const count = (name: string) => counts[names.split(" ").indexOf(name)] ?? Number.NaN;
  return count("InDatagrams") + count("RcvbufErrors");
}

/** A socket a source, spread over the network: nothing of a lookup is in the processor's cache by chance. */
function sendersTo(address: string): readonly number[] {
  const present = opened.get(address);
  if (present !== undefined) return present;
  const spread = Array.from({ length: SOURCES }, (_, index) => (index * 25_717) & 65_535);
  const sources = spread.map((host) => `${network}.${host >> 8}.${host & 255}`);
  const senders = sources.map((source) => sockets.openSender(source, address, port));
  opened.set(address, senders);
  return senders;
}
