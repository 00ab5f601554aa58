/** What `iptables -S` says of a chain of ours in a table, and how it differs from what is wanted. */
import { CHAINS, type ChainPart, type OurChain, TABLES, type Table } from "./rule-layout.ts";

/** Whatever hook and verdict are, it is there. */
export const CHAIN: OurChain = "fleetban-in";

export interface TableState {
  readonly hasChain: boolean;
  /** Without the `-A CHAIN` before them. */
  readonly lines: readonly string[];
  /** Rules that do nothing but jump to it; `place` 0 = the first of its built-in chain. */
  readonly jumps: readonly Jump[];
}

export interface Jump {
  readonly hook: string;
  readonly place: number;
}

const RULE = /^-A (\S+) (.*)$/;

export function readTableState(text: string, ours: OurChain): TableState {
  const all = text.split("\n");
  const lines: string[] = [];
  const jumps: Jump[] = [];
  const places = new Map<string, number>();
  for (const line of all) {
    const [, chain = "", rule = ""] = RULE.exec(line) ?? [];
    if (chain === ours) lines.push(rule);
    const place = places.get(chain) ?? 0;
    places.set(chain, place + 1);
    if (rule === `-j ${ours}`) jumps.push({ hook: chain, place });
  }
  return { hasChain: all.includes(`-N ${ours}`), lines, jumps };
}

/** What is missing, in words; undefined = all is as wanted. */
export function differenceFrom(
  { table, chain, hooks, lines: wanted }: ChainPart,
  state: TableState,
): string | undefined {
  const { hasChain, lines, jumps } = state;
  if (!hasChain) return `chain ${chain} in ${table}`;
  for (const hook of hooks) {
    const ofHook = jumps.filter((jump) => jump.hook === hook);
    if (ofHook.length === 0) return `jump from ${table} ${hook} to ${chain}`;
    if (ofHook.length > 1 || ofHook[0]?.place !== 0) return `jump to ${chain} as the first rule of ${table} ${hook}`;
  }
  const place = wanted.findIndex((line, index) => line !== lines[index]);
  if (place >= 0) return `rule ${place + 1} of ${chain} in ${table}: ${wanted[place]}`;
  return lines.length > wanted.length
    ? `${chain} in ${table} without a rule too many: ${lines[wanted.length]}`
    : undefined;
}

/** A chain of ours, and where it is. */
export interface ChainPlace {
  readonly table: Table;
  readonly chain: OurChain;
}

/** Our chains in what `iptables-save` prints. */
export function chainsIn(saved: string): readonly ChainPlace[] {
  const sections = saved.split(/^(?=\*)/m);
  return TABLES.flatMap((table) =>
    CHAINS.filter((chain) =>
      sections.some((section) => section.startsWith(`*${table}\n`) && section.includes(`\n:${chain} `)),
    ).map((chain) => ({ table, chain })),
  );
}
