/** Real packets between hosts: who sends, and what arrives when. */
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { packetMoment } from "./packet-moment.ts";

const PORT = 9_999;
/** Of a source: more than anybody asks for. */
const MOMENTS_KEPT = 20_000;

export interface Receiver {
  /** Datagrams of `source` that arrived so far. */
  count(source: string): number;
  /** Of these the ones that were sent after the moment (`packetMoment`): none was under way before it. */
  countSentAfter(source: string, moment: number): number;
  /** Unix milliseconds of the newest; 0 = none. */
  lastAtMs(source: string): number;
  /** Begins to look for gaps in what one sender on `source` sends. */
  watch(source: string): Watch;
}

/** What arrived of a source since the watch began. Senders number their datagrams. */
export interface Watch {
  arrived(): number;
  /** Sent between the first and the newest that arrived, and not arrived. */
  lost(): number;
}

export async function startReceiver(host: Host): Promise<Receiver> {
  const program = join(import.meta.dirname, "packet-receiver.main.ts");
  const child = host.spawn(process.execPath, [program, String(PORT)], { stdio: ["ignore", "pipe", "inherit"] });
  const seen = new Map<string, { count: number; lastAtMs: number; number: number; sentAt: number[] }>();
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  lines.on("line", (line) => {
    const [source = "", at, number, sent] = line.split(" ");
    const { count = 0, sentAt = [] } = seen.get(source) ?? {};
    if (sentAt.push(Number(sent)) > MOMENTS_KEPT) sentAt.splice(0, MOMENTS_KEPT / 2);
    seen.set(source, { count: count + 1, lastAtMs: Number(at), number: Number(number), sentAt });
  });
  await once(lines, "line"); // "ready"
  return {
    count: (source) => seen.get(source)?.count ?? 0,
    countSentAfter(source, moment) {
      const { sentAt } = seen.get(source) ?? { sentAt: [] };
      return sentAt.length - 1 - sentAt.findLastIndex((at) => at <= moment);
    },
    lastAtMs: (source) => seen.get(source)?.lastAtMs ?? 0,
    watch(source) {
      const begin = { count: 0, number: 0, ...seen.get(source) };
      const arrived = () => (seen.get(source)?.count ?? 0) - begin.count;
      return { arrived, lost: () => (seen.get(source)?.number ?? 0) - begin.number - arrived() };
    },
  };
}

/** Sends to each target every `everyMs` until the host stops. */
export function startSender(host: Host, targets: readonly string[], everyMs: number): { stop(): Promise<void> } {
  const program = join(import.meta.dirname, "packet-sender.main.ts");
  const child = host.spawn(process.execPath, [program, String(PORT), String(everyMs), ...targets]);
  return { stop: () => host.stop(child) };
}

/** Sends so many datagrams; resolves when they are on their way. */
export async function sendBurst(host: Host, target: string, packets: number): Promise<void> {
  const program = join(import.meta.dirname, "packet-burst.main.ts");
  await host.run(process.execPath, [program, String(PORT), String(packets), target]);
}

/** Packets of `source` arrive now: at least `packets` that are sent from here on. */
export async function arrives(receiver: Receiver, source: string, packets = 5): Promise<void> {
  const now = packetMoment();
  await eventually(`packets from ${source} arrive`, () => receiver.countSentAfter(source, now) >= packets);
}

/**
 * Packets of `source` are dropped: of those sent from here on none arrives while `witness`, who sends as often to the same
 * receiver, gets `packets` through. (Counting another's packets instead of waiting shows that the way itself is open.
 * What had come in before may still wait for the receiver to have its turn.)
 */
export async function isDropped(receiver: Receiver, source: string, witness: string, packets = 20): Promise<boolean> {
  const now = packetMoment();
  await eventually(`packets from ${witness} arrive`, () => receiver.countSentAfter(witness, now) >= packets);
  return receiver.countSentAfter(source, now) === 0;
}

/** Packets that our own rules dropped on a host: they did come to its door. */
export async function droppedPackets(host: Host): Promise<number> {
  const table = await host.run("iptables", ["-w", "-t", "mangle", "-nvxL", "fleetban-in"]).catch(() => "");
  const drops = table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , target]) => target === "DROP");
  return drops.reduce((sum, [packets]) => sum + Number(packets), 0);
}
