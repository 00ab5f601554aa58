/** What a boot load has made, read by the system's own programs: one record for each backend that has a boot load. */
import { execFileSync } from "node:child_process";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { loadNetlink } from "../drivers/netlink.ts";
import { spawn } from "../drivers/spawn.ts";
import type { Backend, SetName } from "./backend.ts";
import { openIpsetBackend } from "./ipset/ipset-backend.ts";
import { openNftablesBackend } from "./nftables/nftables-backend.ts";

export interface BootedKernel {
  readonly name: "ipset" | "nftables";
  open(): Promise<Backend>;
  /** As a reboot: no rule, no set. */
  forget(): void;
  read(): {
    readonly sets: readonly string[];
    readonly members: readonly string[][];
    readonly rules: readonly string[];
  };
  members(set: SetName): string[];
  secondsLeft(set: SetName, address: string): number;
  /** Anything that differs when something was made anew. */
  counters(): string;
}

const parts = { loadNetlink, clock: systemClock, log: silentLog };

export const IPSET_KERNEL: BootedKernel = {
  name: "ipset",
  open: () => openIpsetBackend({ ...parts, spawn }),
  forget() {
    for (const program of ["iptables", "ip6tables"]) sh(`${program} -t mangle -F; ${program} -t mangle -X`);
    sh("ipset destroy");
  },
  read() {
    const sets = sh("ipset list -n").split("\n").filter(Boolean).sort();
    const rules = ["iptables", "ip6tables"].map((program) => sh(`${program} -t mangle -S`));
    return { sets, members: sets.map(IPSET_KERNEL.members), rules };
  },
  members(set) {
    const lines = sh(`ipset save ${set}`).split("\n");
    return lines.flatMap((line) => (line.startsWith("add ") ? [line.split(" ")[2] ?? ""] : [])).sort();
  },
  secondsLeft: (set, address) =>
    Number(new RegExp(`${address} timeout (\\d+)`).exec(sh(`ipset save ${set}`))?.[1] ?? Number.NaN),
  counters: () => sh("iptables -t mangle -nvL --line-numbers"),
};

export const NFTABLES_KERNEL: BootedKernel = {
  name: "nftables",
  open: () => openNftablesBackend(parts),
  forget: () => void sh("nft flush ruleset"),
  read() {
    const sets = nftSets().filter((name) => !name.includes("/"));
    const rules = ["ip", "ip6"].map((family) => sh(`nft -s -t list table ${family} fleetban || true`));
    return { sets, members: sets.map(NFTABLES_KERNEL.members), rules: rules.map(chainsIn) };
  },
  members(set) {
    const ofSet = nftSets().filter((name) => name === set || name.startsWith(`${set}/`));
    return ofSet.flatMap((name) => elementsOf(name).map(([address]) => address + name.slice(set.length))).toSorted();
  },
  secondsLeft: (set, address) => elementsOf(set).find(([found]) => found === address)?.[1] ?? Number.NaN,
  counters: () => sh("nft -a -t list ruleset"),
};

function nftSets(): string[] {
  const names = Array.from(sh("nft list sets").matchAll(/^\tset (\S+) \{$/gm), ([, name = ""]) => name);
  return names.sort();
}

/** With seconds left, NaN = no timeout. */
function elementsOf(name: string): [address: string, secondsLeft: number][] {
  const text = sh(`nft list set ${name.includes("-v6") ? "ip6" : "ip"} fleetban ${name}`);
  const elements = /elements = \{([^}]*)\}/.exec(text)?.[1] ?? "";
  return elements.split(",").flatMap((element): [string, number][] => {
    const [address] = element.trim().split(" ");
    return address === undefined || address === "" ? [] : [[address, secondsIn(/ expires (\S+)/.exec(element)?.[1])]];
  });
}

/** `6d23h59m58s996ms` */
function secondsIn(text: string | undefined): number {
  if (text === undefined) return Number.NaN;
  const unit: Readonly<Record<string, number>> = { d: 86_400, h: 3_600, m: 60, s: 1, ms: 0.001 };
  const parts = Array.from(
    text.matchAll(/(\d+)([a-z]+)/g),
    ([, count, word = ""]) => Number(count) * (unit[word] ?? 0),
  );
  return parts.reduce((sum, part) => sum + part, 0);
}

/** In the order of their names; they stand in that in which they were made. The probe's come with the agent. */
function chainsIn(table: string): string {
  const chains = table.split(/\n(?=\t(?:set|chain) )/).filter((block) => /^\tchain (?!fleetban-probe)/.test(block));
  return chains
    .map((chain) => chain.replaceAll("}", "").trim())
    .sort()
    .join("\n");
}

function sh(script: string): string {
  return execFileSync("sh", ["-c", script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}
