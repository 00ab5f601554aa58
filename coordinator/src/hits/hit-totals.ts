/**
 * What the agents' kernels dropped, summed over the fleet until it is written: a total a list and rank, and the most
 * hit prefixes. Bounded: an agent that names more prefixes than fit is heard for its totals only and remembered as one
 * whose silence says nothing, of lists that it was not given it is not heard, and a sum stops at what a column holds. What
 * could not be written comes back and is written with the next; a report is never asked for again, so one that a crash
 * loses is lost.
 */
import { type ListNo, listNo, type Rank, rank } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";
import { emptyPrefixColumns, prefixesOf } from "@fleetban/proto/model/sorted-columns";
import type { Hits } from "@fleetban/proto/wire/fleet";
import { decodePrefixes } from "@fleetban/proto/wire/prefixes";
import type { Agent } from "../fleet/agent.ts";
import { violation } from "../fleet/errors.ts";

export interface HitTotal {
  readonly list: ListNo;
  readonly rank: Rank;
  packets: number;
  bytes: number;
}

export interface PrefixHits {
  readonly list: ListNo;
  readonly prefix: Prefix;
  packets: number;
  bytes: number;
  readonly agents: Set<number>;
}

export interface HeardHits {
  readonly totals: readonly HitTotal[];
  readonly prefixes: readonly PrefixHits[];
  /** Agents that named prefixes for which there was no room. */
  readonly unheard: readonly number[];
}

export interface HitTotals {
  add(agent: Agent, hits: Hits): void;
  take(): HeardHits;
  /** What was taken and not written. */
  giveBack(heard: HeardHits): void;
  /** Packets by list since the start. */
  readonly packets: ReadonlyMap<ListNo, number>;
}

const MAX_PREFIXES = 20_000;
/** So that one that lies does not take the others' room. An honest one names 768 a list in five minutes at most. */
const MAX_PREFIXES_AN_AGENT = 4_096;
const MAX_ENTRIES = 1_024;
/** Whose numbers are kept with a prefix; more are not told apart. */
const MAX_AGENTS = 64;
/** Two of them still fit Postgres' bigint. */
const MAX_COUNT = Number.MAX_SAFE_INTEGER;

export function createHitTotals(): HitTotals {
  let totals = new Map<string, HitTotal>();
  let prefixes = new Map<string, PrefixHits>();
  /** How many each agent was the first to name. */
  let named = new Map<number, number>();
  let unheard = new Set<number>();
  const packetsByList = new Map<ListNo, number>();

  function addPrefix(hit: Omit<PrefixHits, "agents">, agents: readonly number[]): void {
    const key = `${hit.list} ${hit.prefix}`;
    const known = prefixes.get(key);
    if (known === undefined) {
      const [first = 0] = agents;
      const before = named.get(first) ?? 0;
      if (prefixes.size >= MAX_PREFIXES || before >= MAX_PREFIXES_AN_AGENT) {
        for (const agentNo of agents) unheard.add(agentNo);
        return;
      }
      named.set(first, before + 1);
    }
    const sum = known ?? { list: hit.list, prefix: hit.prefix, packets: 0, bytes: 0, agents: new Set<number>() };
    addCounts(sum, hit);
    for (const agentNo of agents) if (sum.agents.size < MAX_AGENTS) sum.agents.add(agentNo);
    prefixes.set(key, sum);
  }

  function addTotal({ list, rank: ofRank, ...counts }: HitTotal): void {
    const key = `${list} ${ofRank}`;
    const sum = totals.get(key) ?? { list, rank: ofRank, packets: 0, bytes: 0 };
    addCounts(sum, counts);
    totals.set(key, sum);
  }

  return {
    add({ agentNo, group }, hits) {
      const entries = hits.totals.length + hits.top.reduce((sum, top) => sum + top.packets.length, 0);
      if (entries > MAX_ENTRIES) throw violation(`${entries} hit counts in one message, at most ${MAX_ENTRIES}`);
      for (const total of hits.totals) {
        if (total.rank > 255) throw violation(`rank ${total.rank}`);
        if (!group.lists.has(listNo(total.list))) continue;
        const list = listNo(total.list);
        addTotal({ list, rank: rank(total.rank), packets: total.packets, bytes: total.bytes });
        packetsByList.set(list, Math.min(MAX_COUNT, (packetsByList.get(list) ?? 0) + total.packets));
      }
      for (const { list, prefixes: hit, packets, bytes } of hits.top) {
        if (!group.lists.has(listNo(list))) continue;
        const decoded = decodePrefixes("hits", hit, MAX_ENTRIES, emptyPrefixColumns);
        for (const [index, prefix] of [...prefixesOf(decoded)].entries()) {
          const counts = { packets: packets[index] ?? 0, bytes: bytes[index] ?? 0 };
          addPrefix({ list: listNo(list), prefix, ...counts }, [agentNo]);
        }
      }
    },
    take() {
      const taken = { totals: [...totals.values()], prefixes: [...prefixes.values()], unheard: [...unheard] };
      totals = new Map();
      prefixes = new Map();
      named = new Map();
      unheard = new Set();
      return taken;
    },
    giveBack(heard) {
      for (const total of heard.totals) addTotal(total);
      for (const hit of heard.prefixes) addPrefix(hit, [...hit.agents]);
      for (const agentNo of heard.unheard) unheard.add(agentNo);
    },
    packets: packetsByList,
  };
}

function addCounts(sum: { packets: number; bytes: number }, more: { packets: number; bytes: number }): void {
  sum.packets = Math.min(MAX_COUNT, sum.packets + more.packets);
  sum.bytes = Math.min(MAX_COUNT, sum.bytes + more.bytes);
}
