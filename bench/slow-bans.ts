/**
 * Fresh bans that don't wait for each other: some by hand-off on the server itself, as many on another one, in turn, until
 * they are stopped. How long each took to the kernel of the server.
 *
 * The first are timed from the hand-off. The others come as deltas, and are timed from when the other server has them in
 * its own kernel, which nothing slows down: how long the coordinator takes is another benchmark's question.
 */
import { appendFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { banRecord } from "../test/support/fleet/hand-over.ts";
import type { KernelWatch } from "./slow-watch.ts";
import type { Server } from "./stage.ts";

export interface FreshBans {
  readonly told: number;
  /** Tells no more; how many milliseconds each took to the server's kernel. */
  end(): Promise<readonly number[]>;
}

export interface BanParts {
  readonly server: Server;
  readonly watch: KernelWatch;
  /** What is handed over there comes as a delta. */
  readonly other: { readonly server: Server; readonly watch: KernelWatch };
  readonly addresses: Iterator<string, never>;
  /** About: in step with nothing. */
  readonly everyMs: number;
}

/** Attackers come at several addresses at once. */
const GROUP = 10;
const BAN_SECONDS = 600;
const NS_A_MS = 1e6;

export function tellBans({ server, other, watch, addresses, everyMs }: BanParts): FreshBans {
  const tookMs: Promise<number>[] = [];
  const nextGroup = () => Array.from({ length: GROUP }, () => addresses.next().value);
  let isOver = false;

  async function banHere(): Promise<void> {
    const group = nextGroup();
    const seen = group.map((address) => watch.seen("fleetban-local-v4", address));
    const begunNs = await handOver(server, group);
    tookMs.push(...seen.map(async (atNs) => msBetween(begunNs, await atNs)));
  }

  async function banThere(): Promise<void> {
    const group = nextGroup();
    const seen = group.map((address) => [other.watch, watch].map(({ seen }) => seen("fleetban-fleet-v4", address)));
    await handOver(other.server, group);
    tookMs.push(
      ...seen.map(async (both) => {
        const [thereNs = 0n, hereNs = 0n] = await Promise.all(both);
        return Math.max(0, msBetween(thereNs, hereNs));
      }),
    );
  }

  async function tell(): Promise<void> {
    for (let turn = 0; !isOver; turn += 1) {
      await (turn % 2 === 0 ? banHere() : banThere());
      await pause(everyMs * (0.5 + Math.random()));
    }
  }

  const done = tell();
  done.catch(() => undefined); // `end` says so; where it is not reached, something else went wrong before
  return {
    get told() {
      return tookMs.length;
    },
    async end() {
      isOver = true;
      await done;
      return await Promise.all(tookMs);
    },
  };
}

/** All of them in one write. Resolves with the monotonic nanoseconds just before it. */
async function handOver({ handoff }: Server, addresses: readonly string[]): Promise<bigint> {
  const records = addresses.map((address) => banRecord({ address, banSeconds: BAN_SECONDS })).join("");
  const begunNs = process.hrtime.bigint();
  await appendFile(handoff, records);
  return begunNs;
}

function msBetween(fromNs: bigint, toNs: bigint): number {
  return Number(toNs - fromNs) / NS_A_MS;
}
