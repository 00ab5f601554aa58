/** Real packets between hosts: who sends, and what arrives when. */
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";

const PORT = 9_999;

export interface Receiver {
  /** Datagrams of `source` that arrived so far. */
  count(source: string): number;
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
  const seen = new Map<string, { count: number; lastAtMs: number; number: number }>();
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  lines.on("line", (line) => {
    const [source = "", at, number] = line.split(" ");
    seen.set(source, { count: (seen.get(source)?.count ?? 0) + 1, lastAtMs: Number(at), number: Number(number) });
  });
  await once(lines, "line"); // "ready"
  return {
    count: (source) => seen.get(source)?.count ?? 0,
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

/** Packets of `source` arrive now: at least `packets` more of them. */
export async function arrives(receiver: Receiver, source: string, packets = 5): Promise<void> {
  const before = receiver.count(source);
  await eventually(`packets from ${source} arrive`, () => receiver.count(source) >= before + packets);
}

/**
 * Packets of `source` are dropped: none arrives while `witness`, who sends as often to the same receiver, gets
 * `packets` through. (Counting another's packets instead of waiting shows that the way itself is open.)
 */
export async function isDropped(receiver: Receiver, source: string, witness: string, packets = 20): Promise<boolean> {
  const before = receiver.count(source);
  const witnessed = receiver.count(witness);
  await eventually(`packets from ${witness} arrive`, () => receiver.count(witness) >= witnessed + packets);
  return receiver.count(source) === before;
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
