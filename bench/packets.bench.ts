/**
 * How many packets a second come through a pair of virtual cards, by what their receiver has in its kernel: no rule, the
 * agent's rules with longer and longer lists, a chain of single rules. Their sources are not listed, as most are not.
 *
 * A receiver each, all there at once and asked in turn, so that what disturbs the machine disturbs all of them. One core
 * sends and, as a virtual card does it, also receives: sending is part of each figure.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createNetwork } from "../test/support/fleet/network.ts";
import { benchOptions, quantile, report, round } from "./measured.ts";
import { type Flood, type FloodTarget, openFlood, SOURCE_NETWORK } from "./packets-flood.ts";
import { perform } from "./perform.ts";

type Hook = "conntrack" | "raw";

interface Variant {
  readonly name: string;
  readonly hook: Hook;
  /** Absent = no rule of the agent. */
  readonly wall?: { readonly listings: number; readonly backend: "ipset" | "nftables" };
  readonly chain?: number;
  /** In the one line of JSON. */
  readonly figure?: string;
}

/** Packets a second. */
interface Pair {
  readonly own: number;
  /** Without a rule, just before. */
  readonly base: number;
}

const LISTINGS = [0, 10_000, 100_000, 1_000_000] as const;
const CHAIN = 1_000;
const wall = (listings: number, backend: "ipset" | "nftables" = "ipset") => ({ listings, backend });
const BASE: Readonly<Record<Hook, Variant>> = {
  conntrack: { name: "no rule, conntrack", hook: "conntrack" },
  raw: { name: "no rule, no conntrack", hook: "raw" },
};
const VARIANTS: readonly Variant[] = [
  ...Object.values(BASE),
  ...LISTINGS.map((listings) => ({
    ...{ name: `${listings} listings`, hook: "conntrack" as const, wall: wall(listings), figure: `ratio_${listings}` },
  })),
  ...LISTINGS.slice(2).map((listings) => ({
    ...{ name: `${listings} listings, raw hook`, hook: "raw" as const, wall: wall(listings) },
    figure: `ratio_${listings}_raw`,
  })),
  ...(["conntrack", "raw"] as const).map((hook) => ({
    ...{ name: `100000 listings, nftables, ${hook} hook`, hook, wall: wall(100_000, "nftables") },
    figure: `ratio_100000_nftables${hook === "raw" ? "_raw" : ""}`,
  })),
  { name: `a chain of ${CHAIN} rules`, hook: "conntrack", chain: CHAIN, figure: `ratio_chain_${CHAIN}` },
];
const ROUNDS = { full: 30, quick: 5 };
const RUN_MS = { full: 120, quick: 100 };
/** Before each, not counted: its connections and lists come back into the processor's caches. */
const WARM_UP_MS = { full: 40, quick: 25 };
/** Receivers that are prepared at once: each is one core's work. */
const AT_ONCE = availableParallelism();
const DEADLINE_MS = 300_000;

const options = benchOptions(process.argv.slice(2));
const size = options.quick ? "quick" : "full";

await perform(DEADLINE_MS, async (undo) => {
  const folder = mkdtempSync(join(tmpdir(), "fb-bench-"));
  undo.defer(async () => rmSync(folder, { recursive: true, force: true }));
  const network = undo.use(await createNetwork());
  const sender = await network.host("sender", []);
  const targets: FloodTarget[] = [];
  for (const index of VARIANTS.keys()) {
    const host = await network.host(`r${index}`, []);
    const address = `10.77.${index}.2`;
    await network.line([
      { host: sender, address: `10.77.${index}.1/30` },
      { host, address: `${address}/30` },
    ]);
    await host.run("ip", ["route", "add", `${SOURCE_NETWORK}.0.0/16`, "via", `10.77.${index}.1`]);
    targets.push({ host, address });
  }
  await raiseAll(targets, folder);
  const flood = await openFlood(sender, targets);
  const rates = await measure(flood, targets);
  const figures: Record<string, number> = {};
  const rows = VARIANTS.map((variant, index): [string, ...string[]] => {
    const pairs = rates[index] ?? [];
    const ratios = pairs.map(({ own, base }) => own / base);
    const ratio = quantile(ratios, 0.5);
    if (variant.figure !== undefined) figures[variant.figure] = round(ratio, 3);
    const spread = [0.1, 0.9].map((share) => quantile(ratios, share).toFixed(2)).join("–");
    const own = quantile(
      pairs.map((pair) => pair.own),
      0.5,
    );
    return [variant.name, own.toFixed(0), ratio.toFixed(3), spread];
  });
  report(
    {
      bench: "packets",
      figures,
      columns: ["receiver", "packets a second", "ratio to no rule", "p10–p90"],
      rows,
      notes: [["ratio", `median of ${ROUNDS[size]} rounds, each to a run without a rule just before it`]],
    },
    options,
  );
});

/** Each in turn, right after the one without a rule. */
async function measure(flood: Flood, targets: readonly FloodTarget[]): Promise<readonly (readonly Pair[])[]> {
  async function rate(index: number): Promise<number> {
    const target = targets[index];
    if (target === undefined) throw new Error(`there is no receiver ${index}`);
    await flood.rate(target, WARM_UP_MS[size]);
    return await flood.rate(target, RUN_MS[size]);
  }
  const pairs = VARIANTS.map((): Pair[] => []);
  for (let round = 0; round < ROUNDS[size]; round += 1) {
    for (const [index, variant] of VARIANTS.entries()) {
      const base = await rate(VARIANTS.indexOf(BASE[variant.hook]));
      pairs[index]?.push({ base, own: variant === BASE[variant.hook] ? base : await rate(index) });
    }
  }
  return pairs;
}

async function raiseAll(targets: readonly FloodTarget[], folder: string): Promise<void> {
  const waiting = VARIANTS.map((variant, index) => ({ variant, target: targets[index] }));
  const raiseNext = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (next.target !== undefined) await raise(next.target, next.variant, folder);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, raiseNext));
}

async function raise({ host }: FloodTarget, { name, hook, wall, chain }: Variant, folder: string): Promise<void> {
  if (hook === "conntrack") {
    // Has the kernel track connections; no packet that is received comes by here.
    await host.run("iptables", ["-w", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT"]);
  }
  if (wall !== undefined) {
    const program = join(import.meta.dirname, "packets-wall.main.ts");
    const files = mkdtempSync(join(folder, "wall-"));
    const args = [program, String(wall.listings), hook, wall.backend, files, SOURCE_NETWORK];
    await host.run(process.execPath, args).catch((cause: unknown) => {
      throw new Error(`${name} can't be brought into the kernel`, { cause });
    });
  }
  if (chain !== undefined) {
    const rules = Array.from(
      { length: chain },
      (_, rule) => `-A PREROUTING -s 198.18.${rule >> 8}.${rule & 255} -j DROP`,
    );
    const file = join(folder, "chain");
    writeFileSync(file, ["*mangle", ...rules, "COMMIT", ""].join("\n"));
    await host.run("iptables-restore", ["-w", "--noflush", file]);
  }
}
